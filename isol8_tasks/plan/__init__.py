"""What to build and why, decided without disk, clock, environment or Docker."""
