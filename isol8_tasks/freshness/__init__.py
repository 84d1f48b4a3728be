"""Whether images are as new as their sources: upstream images, packages, age, and the support of Alpine's branches."""
