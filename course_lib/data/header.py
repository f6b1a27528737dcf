"""The XML header of a fastMRI file: the part of ISMRMRD that says how k-space became an image."""

import xml.etree.ElementTree as etree
from dataclasses import dataclass

from ..errors import CourseError

NAMESPACE = "http://www.ismrm.org/ISMRMRD"
PROTON_AT_3T = 127_740_000  # Hz


@dataclass(frozen=True)
class Header:
    """Matrix sizes are (readout, phase encoding, 3-D encoding) = ISMRMRD's (x, y, z) = our (height, width, 1).

    center and maximum: the phase-encoding step that measures DC and the last step, both counted from 0.
    """

    encoded: tuple[int, int, int]
    recon: tuple[int, int, int]
    center: int
    maximum: int
    voxel: tuple[float, float, float] = (1.0, 1.0, 1.0)  # mm; written, not read back

    @property
    def padding(self) -> tuple[int, int]:
        """Columns [left, right) were measured; those outside are zero (fastMRI's rule)."""
        left = self.encoded[1] // 2 - self.center
        return left, left + self.maximum + 1


def make_header(
    shape: tuple[int, int],
    recon: tuple[int, int],
    padding: tuple[int, int] | None = None,
    voxel: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Header:
    """Header of k-space with `shape` (height, width), whose measured columns are [left, right) = `padding`."""
    left, right = padding or (0, shape[1])
    return Header((*shape, 1), (*recon, 1), shape[1] // 2 - left, right - left - 1, voxel)


def write_header(header: Header) -> bytes:
    """The header as XML that `ismrmrd.xsd.CreateFromDocument` and fastMRI's loader read."""
    root = etree.Element("ismrmrdHeader", xmlns=NAMESPACE)
    _add(root, "experimentalConditions/H1resonanceFrequency_Hz", PROTON_AT_3T)
    encoding = etree.SubElement(root, "encoding")
    for name, matrix in (("encodedSpace", header.encoded), ("reconSpace", header.recon)):
        space = etree.SubElement(encoding, name)
        size, view = etree.SubElement(space, "matrixSize"), etree.SubElement(space, "fieldOfView_mm")
        for axis, n, mm in zip("xyz", matrix, header.voxel):
            _add(size, axis, n)
            _add(view, axis, n * mm)
    limits = etree.SubElement(encoding, "encodingLimits")
    step = etree.SubElement(limits, "kspace_encoding_step_1")
    for name, value in (("minimum", 0), ("maximum", header.maximum), ("center", header.center)):
        _add(step, name, value)
    _add(encoding, "trajectory", "cartesian")
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def read_header(xml: bytes | str, path: object = "header") -> Header:
    """Read the fields above from any ISMRMRD header; `path` names the file in errors."""
    try:
        root = etree.fromstring(xml)
    except etree.ParseError as error:
        raise CourseError(f"{path}: ismrmrd_header is damaged", "XML", str(error), "get the file again") from error
    encoded, recon = (
        (_integer(root, path, f"{space}/matrixSize/x"), _integer(root, path, f"{space}/matrixSize/y"),
         _integer(root, path, f"{space}/matrixSize/z"))
        for space in ("encodedSpace", "reconSpace")
    )  # fmt: skip
    step = "encodingLimits/kspace_encoding_step_1"
    return Header(encoded, recon, _integer(root, path, f"{step}/center"), _integer(root, path, f"{step}/maximum"))


def _add(parent: etree.Element, names: str, value: object) -> None:
    for name in names.split("/"):
        parent = etree.SubElement(parent, name)
    parent.text = str(value)


def _integer(root: etree.Element, path: object, names: str) -> int:
    """The number at encoding/`names`; the first encoding counts, as in fastMRI's loader."""
    text = root.findtext("/".join(f"{{{NAMESPACE}}}{name}" for name in ["encoding", *names.split("/")]))
    try:
        return int(text or "")
    except ValueError:
        wanted, remedy = f"a whole number at encoding/{names}", "write the file again with course_lib.data.write"
        raise CourseError(f"{path}: ismrmrd_header", wanted, repr(text), remedy) from None
