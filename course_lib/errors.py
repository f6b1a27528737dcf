"""One kind of error for bad input: what went wrong, what was expected, what was found, what to do."""


class CourseError(Exception):
    """Bad input, said in one line. The command line prints it and ends with status 2."""

    def __init__(self, what: str, expected: str = "", found: str = "", remedy: str = ""):
        parts = [what]
        if expected:
            parts.append(f"expected {expected}")
        if found:
            parts.append(f"found {found}")
        if remedy:
            parts.append(f"remedy: {remedy}")
        super().__init__("; ".join(parts))


class ShapeError(CourseError):
    """Two arrays that belong together do not fit."""
