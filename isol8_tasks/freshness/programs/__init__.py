"""The programs that ask package sources, each run in the image that the packages are installed on."""
