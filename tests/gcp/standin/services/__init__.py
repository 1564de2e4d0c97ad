"""What each service means by its calls. A module is loaded with the first call to it."""
