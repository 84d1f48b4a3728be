"""What Sphinx needs to know; docs/site/build.py gives it the pages."""

project = "isol8-tasks"
root_doc = "README"
extensions = ["myst_parser"]
# Anchors as GitHub makes them, so that links work in both places.
myst_heading_anchors = 4
highlight_language = "text"
nitpicky = True

html_theme = "furo"
html_title = "isol8-tasks"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
# A found page is fetched for its summary, which a browser refuses to pages of a folder (file://).
html_show_search_summary = False
# Examples leave out what does not matter by an …, which is no TOML.
suppress_warnings = ["misc.highlighting_failure"]
smartquotes = False
