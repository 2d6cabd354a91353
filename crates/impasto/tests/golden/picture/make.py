"""Makes the pictures in this folder and what they should decode to.

    python make.py          # needs numpy, pillow (with littleCMS, libjpeg, libwebp, libtiff), torch, imagecodecs; jpegtran

Every picture is tiny. `pictures.json` lists them with the pixels that Pillow sees (or, where
Pillow loses bits, the pixels they were made from); colours of pictures with an ICC profile are
littleCMS's, perceptual. `resize.json` has planes resampled by Pillow (mode F) and torch.
"""

import io
import json
import struct
import subprocess
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps

HERE = Path(__file__).parent
RNG = np.random.default_rng(20)
CASES = []


def case(name, data, rgb, alpha=None, depth=8, tolerance=0):
    """A file, and the samples it should decode to: rgb [h, w, 3] and alpha [h, w] as integers of
    `depth` bits, or None for opaque; `tolerance` in such steps. Kept as hexadecimal digits."""
    (HERE / name).write_bytes(data)
    rgb = np.asarray(rgb)
    if rgb.ndim == 2:
        rgb = np.repeat(rgb[..., None], 3, axis=2)
    digits = depth // 4
    entry = {
        "file": name,
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "depth": depth,
        "tolerance": tolerance,
        "rgb": hexadecimal(rgb, digits),
    }
    if alpha is not None:
        entry["alpha"] = hexadecimal(np.asarray(alpha), digits)
    CASES.append(entry)


def hexadecimal(samples, digits):
    return "".join(format(int(v), f"0{digits}x") for v in samples.flatten())


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def seen(data, mode="RGB"):
    """What Pillow sees, upright."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    return np.asarray(image.convert(mode))


def smooth(width, height, channels):
    """Slow waves, so that lossy formats lose little."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 110 * np.sin(x * (0.13 + 0.05 * c) + y * (0.21 - 0.03 * c) + c) for c in range(channels)]
    return np.round(np.stack(waves, axis=-1)).astype(np.uint8)


def noise(width, height, channels, bits=8):
    samples = RNG.integers(0, 1 << bits, (height, width, channels))
    samples[0, 0], samples[-1, -1] = 0, (1 << bits) - 1
    return samples


# ---------------------------------------------------------------- ICC profiles


def s15(value):
    return struct.pack(">i", round(value * 65536))


def xyz(values):
    return b"XYZ \0\0\0\0" + b"".join(map(s15, values))


def gamma_curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def description(text):
    text = text.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + b"\0" * (4 + 4 + 2 + 1 + 67)


def profile(space, pcs, tags):
    tags = {b"desc": description("made for a test"), b"cprt": b"text\0\0\0\0none\0", **tags}
    body, table = b"", b""
    for signature, data in tags.items():
        offset = 128 + 4 + 12 * len(tags) + len(body)
        table += signature + struct.pack(">II", offset, len(data))
        body += data + b"\0" * (-len(data) % 4)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    size = 128 + 4 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02100000, kind, space, pcs)
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += b"".join(map(s15, D50)) + b"\0" * 48
    return head + struct.pack(">I", len(tags)) + table + body


D50 = (0.9642, 1.0, 0.8249)
D65 = (0.9505, 1.0, 1.0891)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def colorants(red, green, blue):
    """Columns of RGB → XYZ relative to D50, from xy of the primaries and a D65 white."""
    primaries = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (red, green, blue)]).T
    matrix = primaries * np.linalg.solve(primaries, D65)
    scale = np.diag((BRADFORD @ D50) / (BRADFORD @ D65))
    adapted = np.linalg.inv(BRADFORD) @ scale @ BRADFORD @ matrix
    return np.round(adapted * 65536) / 65536  # as the profile stores it


SRGB_MATRIX = colorants((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def rgb_profile(matrix, gamma):
    tags = {b"wtpt": xyz(D50)}
    for i, channel in enumerate(b"rgb"):
        tags[bytes([channel]) + b"XYZ"] = xyz(matrix[:, i])
        tags[bytes([channel]) + b"TRC"] = gamma_curve(gamma)
    return profile(b"RGB ", b"XYZ ", tags)


P3_MATRIX = colorants((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_MATRIX = colorants((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
P3 = rgb_profile(P3_MATRIX, 2.2)
ADOBE = rgb_profile(ADOBE_MATRIX, 563 / 256)
GREY = profile(b"GRAY", b"XYZ ", {b"wtpt": xyz(D50), b"kTRC": gamma_curve(1.5)})


def lab(xyz):
    t = np.asarray(xyz) / D50
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return 116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])


# The tolerance for pictures with this profile, 7 of 255, is what methods of interpolation make:
# littleCMS and exact linear interpolation in this table differ by up to 4.
def cmyk_profile(grid=5):
    """A printer whose inks mix as in `rgb = (1 − c·s)(1 − k·s)`, lut8 to Lab."""
    axis = np.linspace(0, 1, grid)
    c, m, y, k = np.meshgrid(axis, axis, axis, axis, indexing="ij")
    ink = np.stack([c, m, y], axis=-1) * 0.85
    linear = ((1 - ink) * (1 - 0.9 * k[..., None])) ** 2.2
    lightness, a, b = lab(linear @ SRGB_MATRIX.T)
    table = np.stack([lightness * 2.55, a + 128, b + 128], axis=-1)
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, grid, 0])
    lut += b"".join(map(s15, np.eye(3).flatten()))
    lut += ramp * 4 + np.clip(np.round(table), 0, 255).astype(np.uint8).tobytes() + ramp * 3
    return profile(b"CMYK", b"Lab ", {b"wtpt": xyz(D50), b"A2B0": lut})


CMYK = cmyk_profile()
SRGB = ImageCms.createProfile("sRGB")


def managed(samples, mode, icc):
    """Pixels in sRGB, by littleCMS."""
    image = Image.fromarray(np.ascontiguousarray(samples), mode)
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return np.asarray(ImageCms.profileToProfile(image, source, SRGB, outputMode="RGB"))


def matrix_managed(samples, matrix, gamma):
    """Pixels 0..1 in sRGB, by the formulas of a matrix profile."""
    return coded((samples**gamma) @ matrix.T @ np.linalg.inv(SRGB_MATRIX).T)


def coded(linear):
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


# ---------------------------------------------------------------- PNG, which Pillow writes in part only

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_rows(samples, bits):
    rows = b""
    for row in samples:
        values = row.flatten()
        if bits == 16:
            packed = values.astype(">u2").tobytes()
        else:
            text = "".join(format(v, f"0{bits}b") for v in values)
            text += "0" * (-len(text) % 8)
            packed = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
        rows += b"\0" + packed
    return rows


def png(samples, bits, colour, interlaced=False, chunks=b""):
    height, width = samples.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    if interlaced:
        passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        data = b"".join(png_rows(part, bits) for part in passes if part.size)
    else:
        data = png_rows(samples, bits)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + chunks
        + png_chunk(b"IDAT", zlib.compress(data, 9))
        + png_chunk(b"IEND", b"")
    )


def iccp(icc):
    return png_chunk(b"iCCP", b"p\0\0" + zlib.compress(icc))


def pngs():
    for bits in (1, 2, 4, 8):
        grey = noise(11, 3, 1, bits)
        scale = 255 // ((1 << bits) - 1)
        case(f"grey{bits}.png", png(grey, bits, 0), grey[..., 0] * scale)
        palette = noise(1 << bits, 1, 3)[0]
        entries = png_chunk(b"PLTE", palette.astype(np.uint8).tobytes())
        index = noise(11, 3, 1, bits)
        if bits < 8:
            case(f"palette{bits}.png", png(index, bits, 3, chunks=entries), palette[index[..., 0]])
    alphas = np.arange(16) * 17
    entries = png_chunk(b"PLTE", palette[:16].astype(np.uint8).tobytes())
    entries += png_chunk(b"tRNS", alphas[:9].astype(np.uint8).tobytes())
    index = noise(7, 5, 1, 4)
    alpha = np.where(index[..., 0] < 9, alphas[index[..., 0]], 255)
    case("palette-alpha.png", png(index, 4, 3, chunks=entries), palette[index[..., 0]], alpha)

    grey, rgb = noise(7, 5, 1, 16), noise(7, 5, 3, 16)
    case("grey16.png", png(grey, 16, 0), grey[..., 0], depth=16)
    case("rgb16.png", png(rgb, 16, 2), rgb, depth=16)
    for interlaced in (False, True):
        suffix = "-interlaced" if interlaced else ""
        rgb = noise(9, 7, 3)
        case(f"rgb{suffix}.png", png(rgb, 8, 2, interlaced), rgb)
    rgb[2, 3] = rgb[4, 1] = (10, 20, 30)
    key = png_chunk(b"tRNS", struct.pack(">3H", 10, 20, 30))
    clear = (rgb == (10, 20, 30)).all(axis=2)
    case("rgb-key.png", png(rgb, 8, 2, chunks=key), rgb, np.where(clear, 0, 255))
    for bits in (8, 16):
        ga, rgba = noise(5, 4, 2, bits), noise(5, 4, 4, bits)
        case(f"grey-alpha{bits}.png", png(ga, bits, 4), ga[..., 0], ga[..., 1], depth=bits)
        case(f"rgba{bits}.png", png(rgba, bits, 6), rgba[..., :3], rgba[..., 3], depth=bits)
    rgba[..., 3] = 65535
    case("opaque.png", png(rgba, 16, 6), rgba[..., :3], depth=16)
    for width, height in ((1, 1), (1, 6), (6, 1)):
        rgb = noise(width, height, 3)
        case(f"{width}x{height}.png", png(rgb, 8, 2), rgb)


# ---------------------------------------------------------------- TIFF, which Pillow writes in part only


def tiff(samples, bits, photometric, extra=(), endian="<", planar=False, tags=()):
    """One strip, uncompressed; `samples` [h, w, c] of unsigned integers, or of floats (32 bits)."""
    height, width, channels = samples.shape
    floats = samples.dtype.kind == "f"
    if planar:
        samples = samples.transpose(2, 0, 1)
    data = samples.astype(f"{endian}{'f' if floats else 'u'}{bits // 8}").tobytes()
    entries = [
        (256, "L", [width]), (257, "L", [height]), (258, "H", [bits] * channels), (259, "H", [1]),
        (262, "H", [photometric]), (273, "L", [8]), (277, "H", [channels]), (278, "L", [height]),
        (279, "L", [len(data)]), (284, "H", [2 if planar else 1]),
    ]  # fmt: skip
    if planar:
        size = len(data) // channels
        entries[5] = (273, "L", [8 + size * c for c in range(channels)])
        entries[8] = (279, "L", [size] * channels)
    if extra:
        entries.append((338, "H", list(extra)))
    if floats:
        entries.append((339, "H", [3] * channels))
    entries = sorted(entries + list(tags))
    kinds = {"B": 7, "H": 3, "L": 4}
    data += b"\0" * (len(data) % 2)
    start = 8 + len(data)
    values = start + 2 + 12 * len(entries) + 4
    table, tail = struct.pack(endian + "H", len(entries)), b""
    for tag, kind, content in entries:
        packed = struct.pack(f"{endian}{len(content)}{kind}", *content)
        table += struct.pack(endian + "HHL", tag, kinds[kind], len(content))
        if len(packed) <= 4:
            table += packed.ljust(4, b"\0")
        else:
            table += struct.pack(endian + "L", values + len(tail))
            tail += packed + b"\0" * (len(packed) % 2)
    head = (b"II" if endian == "<" else b"MM") + struct.pack(endian + "HL", 42, start)
    return head + data + table + b"\0\0\0\0" + tail


def tiffs():
    rgb = noise(7, 5, 3)
    image = Image.fromarray(rgb.astype(np.uint8))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        case(f"{compression}.tif", saved(image, "TIFF", compression=compression), rgb)
    bits = noise(13, 5, 1, 1)[..., 0]
    one = Image.fromarray((bits * 255).astype(np.uint8)).convert("1")
    case("bilevel-g4.tif", saved(one, "TIFF", compression="group4"), bits * 255)
    grey = noise(7, 5, 1, 16)
    case("grey16.tif", tiff(grey, 16, 1), grey[..., 0], depth=16)
    case("white-is-zero.tif", tiff(grey // 256, 8, 0), 255 - (grey // 256)[..., 0])
    rgb = noise(7, 5, 3, 16)
    case("rgb16.tif", tiff(rgb, 16, 2), rgb, depth=16)
    case("rgb16-big-endian.tif", tiff(rgb, 16, 2, endian=">"), rgb, depth=16)
    case("rgb16-planar.tif", tiff(rgb, 16, 2, planar=True), rgb, depth=16)
    floats = rgb / 65535
    case("float.tif", tiff(floats, 32, 2), rgb, depth=16)
    rgba = noise(5, 4, 4)
    case("rgba.tif", tiff(rgba, 8, 2, extra=[2]), rgba[..., :3], rgba[..., 3])
    case("rgb-spare.tif", tiff(rgba, 8, 2, extra=[0]), rgba[..., :3])
    ga = noise(5, 4, 2)
    case("grey-alpha.tif", tiff(ga, 8, 1, extra=[2]), ga[..., 0], ga[..., 1])
    rgba = noise(5, 4, 4, 16)
    rgba[..., 3] |= 0x4000
    multiplied = rgba.copy()
    multiplied[..., :3] = np.round(rgba[..., :3] * (rgba[..., 3:] / 65535))
    case("rgba-multiplied.tif", tiff(multiplied, 16, 2, extra=[1]), rgba[..., :3], rgba[..., 3], depth=16, tolerance=3)
    cmyk = noise(7, 5, 4)
    plain = (255 - cmyk[..., :3]) * (255 - cmyk[..., 3:]) / 255
    case("cmyk.tif", tiff(cmyk, 8, 5), np.round(plain), tolerance=1)
    tags = [(34675, "B", list(CMYK))]
    case("cmyk-icc.tif", tiff(cmyk, 8, 5, tags=tags), managed(cmyk.astype(np.uint8), "CMYK", CMYK), tolerance=7)
    rgb = noise(7, 5, 3)
    turned = np.rot90(rgb, -1)
    case("orientation6.tif", tiff(rgb, 8, 2, tags=[(274, "H", [6])]), turned)
    image = Image.fromarray(smooth(33, 18, 3))
    data = saved(image, "TIFF", compression="jpeg", quality=95)
    case("jpeg.tif", data, seen(data), tolerance=4)


# ---------------------------------------------------------------- JPEG


def segments(data):
    """The segments of a JPEG before its scan, and the rest."""
    at, parts = 2, []
    while data[at + 1] != 0xDA:
        size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        parts.append(data[at : at + size])
        at += size
    return parts, data[at:]


def jpegs():
    image = Image.fromarray(smooth(21, 13, 3))
    for name, options in {
        "rgb.jpg": dict(subsampling=0),
        "half.jpg": dict(subsampling=1),
        "quarter.jpg": dict(subsampling=2),
        "progressive.jpg": dict(subsampling=2, progressive=True),
        "restarts.jpg": dict(subsampling=0, restart_marker_blocks=2),
        "untransformed.jpg": dict(keep_rgb=True, subsampling=0),
    }.items():
        data = saved(image, "JPEG", quality=90, **options)
        case(name, data, seen(data), tolerance=3)
    data = saved(image.convert("L"), "JPEG", quality=90)
    case("grey.jpg", data, seen(data), tolerance=1)
    data = saved(Image.fromarray(smooth(17, 9, 3)).resize((1, 1)), "JPEG")
    case("1x1.jpg", data, seen(data), tolerance=1)

    cmyk = smooth(21, 13, 4)
    data = saved(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=95)
    case("cmyk-adobe.jpg", data, seen(data), tolerance=2)
    data = saved(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=95, progressive=True)
    case("cmyk-progressive.jpg", data, seen(data), tolerance=2)
    # Without the Adobe marker browsers take the inks as inverted all the same.
    data = saved(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=95)
    expected = seen(data)
    parts, scan = segments(data)
    parts = [part for part in parts if part[1] != 0xEE]
    case("cmyk-plain.jpg", b"\xff\xd8" + b"".join(parts) + scan, expected, tolerance=2)
    # YCCK: Pillow stores four planes as they are; these are luma, chroma and black.
    inverted = 255 - cmyk
    ycc = np.asarray(Image.fromarray(255 - inverted[..., :3]).convert("YCbCr"))
    planes = np.concatenate([ycc, inverted[..., 3:]], axis=2)
    data = saved(Image.fromarray(255 - planes, "CMYK"), "JPEG", quality=95)
    parts, scan = segments(data)
    parts = [part[:-1] + b"\2" if part[1] == 0xEE else part for part in parts]
    data = b"\xff\xd8" + b"".join(parts) + scan
    case("ycck.jpg", data, seen(data), tolerance=3)
    data = saved(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=95, icc_profile=CMYK)
    inks = np.asarray(Image.open(io.BytesIO(data)))
    case("cmyk-icc.jpg", data, managed(inks, "CMYK", CMYK), tolerance=7)


# ---------------------------------------------------------------- WebP, GIF, BMP


def others():
    image = Image.fromarray(smooth(21, 13, 3))
    data = saved(image, "WEBP", quality=90)
    case("lossy.webp", data, seen(data), tolerance=3)
    rgb = noise(9, 7, 3).astype(np.uint8)
    data = saved(Image.fromarray(rgb), "WEBP", lossless=True)
    case("lossless.webp", data, rgb)
    rgba = noise(9, 7, 4).astype(np.uint8)
    data = saved(Image.fromarray(rgba), "WEBP", lossless=True, exact=True)
    case("alpha.webp", data, rgba[..., :3], rgba[..., 3])
    rgba = smooth(21, 13, 4)
    data = saved(Image.fromarray(rgba), "WEBP", quality=90, exact=True)
    four = seen(data, "RGBA")
    case("lossy-alpha.webp", data, four[..., :3], four[..., 3], tolerance=3)
    frames = [Image.fromarray(noise(9, 7, 3).astype(np.uint8)) for _ in range(3)]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    case("animated.webp", data, np.asarray(frames[0]))

    index = noise(9, 7, 1, 3)[..., 0].astype(np.uint8)
    palette = noise(8, 1, 3)[0]
    frame = Image.fromarray(index, "P")
    frame.putpalette(palette.flatten().tolist())
    case("palette.gif", saved(frame, "GIF"), palette[index])
    alpha = np.where(index == 5, 0, 255)
    case("transparent.gif", saved(frame, "GIF", transparency=5), palette[index], alpha)
    second = Image.fromarray(7 - index, "P")
    second.putpalette(palette.flatten().tolist())
    data = saved(frame, "GIF", save_all=True, append_images=[second])
    case("animated.gif", data, palette[index])

    rgb = noise(7, 5, 3).astype(np.uint8)
    case("rgb.bmp", saved(Image.fromarray(rgb), "BMP"), rgb)
    case("palette.bmp", saved(frame, "BMP"), palette[index])


# ---------------------------------------------------------------- rare codings


def jpegtran(data, *options):
    return subprocess.run(["jpegtran", *options], input=data, capture_output=True, check=True).stdout


def rare():
    """Kinds that few programs write; needs jpegtran and imagecodecs."""
    photo = smooth(37, 29, 3).astype(np.uint8)
    data = saved(Image.fromarray(photo), "JPEG", quality=90)
    for name, options in (
        ("arithmetic.jpg", ["-arithmetic"]),
        ("arithmetic-restarts.jpg", ["-arithmetic", "-restart", "2B"]),
        ("arithmetic-progressive.jpg", ["-arithmetic", "-progressive"]),
    ):
        case(name, jpegtran(data, *options), seen(data), tolerance=3)
    twelve = np.round(smooth(37, 29, 3) * (4095 / 255)).astype(np.uint16)
    data = imagecodecs.jpeg_encode(twelve, level=95, bitspersample=12)
    wide = np.round(imagecodecs.jpeg_decode(data).astype(float) * (65535 / 4095))
    case("twelve-bits.jpg", data, wide, depth=16, tolerance=80)
    page = Image.fromarray((smooth(75, 23, 1)[..., 0] > 128).astype(np.uint8) * 255).convert("1")
    for name, options in (
        ("fax-rows.tif", {"compression": "tiff_ccitt"}),
        ("fax3.tif", {"compression": "group3"}),
        ("fax3-2d.tif", {"compression": "group3", "tiffinfo": {292: 1}}),
        ("fax4-reversed.tif", {"compression": "group4", "tiffinfo": {266: 2}}),
    ):
        data = saved(page, "TIFF", **options)
        case(name, data, seen(data))
    for name, image in (("zstd.tif", photo), ("zstd-grey.tif", photo[..., 0])):
        data = saved(Image.fromarray(image), "TIFF", compression="zstd")
        case(name, data, seen(data))
    data = saved(Image.fromarray(photo).quantize(61), "TIFF", compression="tiff_lzw")
    case("palette.tif", data, seen(data))


# ---------------------------------------------------------------- orientation and colour


def orientations():
    image = Image.fromarray(smooth(10, 6, 3))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = saved(image, "JPEG", quality=95, subsampling=0, exif=exif)
        case(f"orientation{orientation}.jpg", data, seen(data), tolerance=3)
    exif[0x0112] = 6
    noisy = Image.fromarray(noise(5, 3, 3).astype(np.uint8))
    for name, data in {
        "orientation6.png": saved(noisy, "PNG", exif=exif),
        "orientation6.webp": saved(noisy, "WEBP", exif=exif, lossless=True),
    }.items():
        case(name, data, seen(data))


def colours():
    rgb = noise(9, 7, 3)
    eight = rgb.astype(np.uint8)
    case("p3.png", png(rgb, 8, 2, chunks=iccp(P3)), managed(eight, "RGB", P3), tolerance=1)
    case("adobe.png", png(rgb, 8, 2, chunks=iccp(ADOBE)), managed(eight, "RGB", ADOBE), tolerance=1)
    srgb = ImageCms.ImageCmsProfile(SRGB).tobytes()
    case("srgb.png", png(rgb, 8, 2, chunks=iccp(srgb)), rgb)
    rgb16 = noise(9, 7, 3, 16)
    exact = matrix_managed(rgb16 / 65535, ADOBE_MATRIX, 563 / 256)
    case("adobe16.png", png(rgb16, 16, 2, chunks=iccp(ADOBE)), np.round(exact * 65535), depth=16, tolerance=40)
    rgba = noise(9, 7, 4)
    colour = managed(rgba[..., :3].astype(np.uint8), "RGB", P3)
    case("p3-alpha.png", png(rgba, 8, 6, chunks=iccp(P3)), colour, rgba[..., 3], tolerance=1)
    grey = noise(16, 16, 1)
    grey[..., 0] = np.arange(256).reshape(16, 16)
    # littleCMS is coarse in the shadows here, by 2 steps.
    exact = coded((grey[..., 0] / 255) ** 1.5) * 255
    case("grey-icc.png", png(grey, 8, 0, chunks=iccp(GREY)), np.round(exact), tolerance=1)
    three = np.repeat(grey, 3, axis=2)
    case("grey-rgb-icc.png", png(grey, 8, 0, chunks=iccp(ADOBE)), managed(three.astype(np.uint8), "RGB", ADOBE), tolerance=1)
    # Profiles that do not fit or do not parse are ignored.
    case("rgb-cmyk-icc.png", png(rgb, 8, 2, chunks=iccp(CMYK)), rgb)
    case("rgb-grey-icc.png", png(rgb, 8, 2, chunks=iccp(GREY)), rgb)
    case("broken-icc.png", png(rgb, 8, 2, chunks=iccp(b"\7" * 200)), rgb)
    case("cut-icc.png", png(rgb, 8, 2, chunks=iccp(ADOBE[:300])), rgb)
    image = Image.fromarray(smooth(21, 13, 3))
    data = saved(image, "JPEG", quality=95, subsampling=0, icc_profile=P3)
    case("p3.jpg", data, managed(seen(data), "RGB", P3), tolerance=4)
    data = saved(Image.fromarray(eight), "WEBP", lossless=True, icc_profile=ADOBE)
    case("adobe.webp", data, managed(eight, "RGB", ADOBE), tolerance=1)


# ---------------------------------------------------------------- resampling


def resizes():
    sizes = [
        ((7, 5), (3, 11)), ((5, 7), (13, 2)), ((1, 9), (1, 4)), ((9, 1), (20, 1)), ((1, 1), (3, 2)),
        ((16, 12), (5, 5)), ((3, 3), (8, 8)), ((2, 2), (2, 5)), ((31, 2), (3, 1)), ((6, 10), (5, 9)),
    ]  # fmt: skip
    torch.manual_seed(0)
    entries = []
    for (h, w), (new_h, new_w) in sizes:
        plane = RNG.integers(0, 256, (h, w)).astype(np.float32) / np.float32(255)
        image = Image.fromarray(plane)
        tensor = torch.from_numpy(plane)[None, None]
        outputs = {}
        for filter, method in (("Bicubic", Image.BICUBIC), ("Bilinear", Image.BILINEAR)):
            outputs[filter] = np.asarray(image.resize((new_w, new_h), method))
        for filter, mode in (("BicubicPlain", "bicubic"), ("BilinearPlain", "bilinear")):
            options = dict(mode=mode, align_corners=False, antialias=False)
            out = torch.nn.functional.interpolate(tensor, (new_h, new_w), **options)
            outputs[filter] = out[0, 0].numpy()
        entries.append({
            "from": [h, w],
            "to": [new_h, new_w],
            "input": [int(round(v * 255)) for v in plane.flatten().tolist()],
            "outputs": {k: [float(f"{v:.8g}") for v in o.flatten().tolist()] for k, o in outputs.items()},
        })
    write("resize.json", entries)


def write(name, entries):
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)
    (HERE / name).write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    pngs()
    tiffs()
    jpegs()
    others()
    orientations()
    colours()
    rare()
    write("pictures.json", CASES)
    resizes()
