"""A picture that a recipe begins with: known by what its pixels are, wherever they are kept."""

import hashlib

from sdlab.pipes.pictures import read_picture, to_rgb
from sdlab.system.calls import brief

LENGTH = 16  # hexadecimal digits of a digest


def digest_of(picture):
    """Hexadecimal digits that stand for the pixels and the size of a picture in RGB."""
    return hashlib.sha256(f"{picture.size} ".encode() + picture.tobytes()).hexdigest()[:LENGTH]


class Source:
    """A picture in RGB, upright, of its own size; or only the digest of one, as a saved recipe has it. Equal where the pixels are.

    Attributes:
        digest: sixteen hexadecimal digits.
        size: width and height in pixels.
    """

    __slots__ = ("_file", "_picture", "digest", "size")

    def __init__(self, digest, size, picture=None, file=None):
        self.digest, self.size, self._picture, self._file = digest, tuple(size), picture, file

    @classmethod
    def of(cls, given, name):
        """The source of a file, an array or a PIL picture; a source as it is. Errors as of `sdlab.pipes.pictures.read_picture`."""
        if isinstance(given, cls):
            return given
        picture = to_rgb(read_picture(given, name), "black" if name == "mask" else "white", name)
        return cls(digest_of(picture), picture.size, picture)

    @classmethod
    def from_dict(cls, values):
        """The source that `to_dict` told of, without its pixels.

        Raises:
            ValueError: this is no such dictionary.
        """
        try:
            digest, (width, height) = values["digest"], values["size"]
            if not isinstance(digest, str) or len(digest) != LENGTH or set(digest) - set("0123456789abcdef"):
                raise ValueError(digest)
            return cls(digest, (int(width), int(height)))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"{brief(values)} tells of no picture: it must have a digest of {LENGTH} digits and a size") from error

    def to_dict(self):
        """What a saved recipe says of it."""
        return {"digest": self.digest, "size": list(self.size)}

    def found_in(self, file):
        """The same source, which takes its pixels from a file when it is first asked for them."""
        return Source(self.digest, self.size, self._picture, file)

    @property
    def is_here(self):
        """Whether the pixels are here, or in a file."""
        return self._picture is not None or self._file is not None

    @property
    def picture(self):
        """The PIL picture.

        Raises:
            FileNotFoundError: only its digest is known.
            OSError: its file is damaged, or holds another picture.
        """
        if self._picture is None and self._file is not None:
            picture = read_picture(self._file, "the picture").convert("RGB")
            if digest_of(picture) != self.digest:
                raise OSError(f"{str(self._file)!r} is not the {self} any more: give it again, for example image='photo.png'")
            self._picture = picture
        if self._picture is None:
            raise FileNotFoundError(f"the {self} is not here: give it again, for example image='photo.png'")
        return self._picture

    def __eq__(self, other):
        return isinstance(other, Source) and other.digest == self.digest

    def __hash__(self):
        return hash(self.digest)

    def __repr__(self):
        return f"picture {self.digest[:8]} of {self.size[0]}×{self.size[1]}"

    def __deepcopy__(self, memo):
        return self  # nothing of it changes
