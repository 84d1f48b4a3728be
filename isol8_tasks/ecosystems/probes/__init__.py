"""What runtimes run in their images to look for packages, one program each."""
