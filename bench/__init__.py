"""What is claimed to be fast, measured against its peers in the same run."""
