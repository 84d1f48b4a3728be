"""The page: all images, their history and their sources in one HTML file. Pure, but for its own template.

document   what the page shows, as data
answers    what people ask first: the oldest image, the one that grew most, what was rebuilt last
html       the data put into the template, so that nothing in it can be more than text
"""
