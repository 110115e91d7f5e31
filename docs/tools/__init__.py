"""What makes the notebooks, the pages and the pictures of the documentation."""
