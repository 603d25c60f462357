"""What goes wrong with images."""


class ImageError(ValueError):
    """An image cannot be read; the message is for the person who sent it."""
