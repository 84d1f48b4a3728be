"""What runs inside an image that is looked into: a shell's part for all of them, and one for each runtime."""
