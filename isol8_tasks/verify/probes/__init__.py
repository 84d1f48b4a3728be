"""What runs inside an image that is looked into, whatever its runtime is; a runtime's part is its probe."""
