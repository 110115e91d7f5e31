"""What is kept of a picture: the file, and the recipe inside it."""
