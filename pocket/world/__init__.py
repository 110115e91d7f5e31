"""The pocket world: sprites, scenes, captions, scribbles, and the endless stream of them."""
