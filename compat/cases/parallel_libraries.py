"""Libraries that share work among threads: OpenMP, TBB, Boost, GLib, Qt, Rayon, Tokio, and programs of Debian's above such libraries. Each
program ends by itself, and its output is compared."""

import build
from catalogue import case
from runtimes import output
from stage import Stage

CPP = {"c++": "build-essential"}
PKG_CONFIG = CPP | {"pkg-config": "pkg-config"}
OPENMP = build.PROGRAMS.parents[1] / "tests/programs/languages/openmp.c"


@case("openmp-gcc", "libgomp with 8 threads", {"gcc": "build-essential"}, ["gcc", "--version"])
def openmp_gcc(stage: Stage) -> None:
    output(stage, build.built(OPENMP, ["gcc", "-O2", "-fopenmp"], ["-lm"]), OMP_NUM_THREADS="8")


@case("openmp-llvm", "libomp with 8 threads", {"clang": "clang", "/usr/share/doc/libomp-dev": "libomp-dev"}, ["clang", "--version"])
def openmp_llvm(stage: Stage) -> None:
    output(stage, build.built(OPENMP, ["clang", "-O2", "-fopenmp"], ["-lm"]), OMP_NUM_THREADS="8")


@case("tbb", "oneTBB: loops, a sort, a pipeline, a flow graph", CPP | {"/usr/share/doc/libtbb-dev": "libtbb-dev"}, ["dpkg-query", "-W", "libtbb-dev"])
def tbb(stage: Stage) -> None:
    output(stage, build.built("tbb.cpp", ["c++", "-std=c++20", "-O1", "-pthread"], ["-ltbb"]))


@case(
    "boost",
    "asio with 4 threads and 50 connections; Boost.Thread",
    CPP | {"/usr/share/doc/libboost-dev": "libboost-dev", "/usr/share/doc/libboost-thread-dev": "libboost-thread-dev"},
    ["dpkg-query", "-W", "libboost-dev"],
)
def boost(stage: Stage) -> None:
    output(stage, build.built("asio.cpp", ["c++", "-std=c++17", "-O1", "-pthread"], ["-lboost_thread", "-lboost_chrono"]))


@case(
    "glib",
    "a thread pool, queues, tasks over a main loop; locks on its own futex calls",
    PKG_CONFIG | {"/usr/share/doc/libglib2.0-dev": "libglib2.0-dev"},
    ["pkg-config", "--modversion", "glib-2.0"],
)
def glib(stage: Stage) -> None:
    output(stage, build.built("glib.c", ["cc", "-O2"], packages=["gio-2.0"]))


@case(
    "qt",
    "Qt Core and Concurrent: event loops in threads, pools, locks on its own futex calls",
    PKG_CONFIG | {"/usr/share/doc/qtbase5-dev": "qtbase5-dev"},
    ["pkg-config", "--modversion", "Qt5Core"],
)
def qt(stage: Stage) -> None:
    output(stage, build.built("qt.cpp", ["c++", "-std=c++17", "-fPIC", "-O1"], packages=["Qt5Concurrent", "Qt5Core"]))


@case("rayon", "8 workers that steal from each other", {"cargo": "cargo"}, ["cargo", "--version"])
def rayon(stage: Stage) -> None:
    output(stage, build.cargo("rust_pools", "rayon"))


@case("tokio", "the multi-thread runtime: 2,000 tasks, 50 connections, the blocking pool, a child, a signal", {"cargo": "cargo"}, ["cargo", "--version"])
def tokio(stage: Stage) -> None:
    output(stage, build.cargo("rust_pools", "tokio"))


@case("ffmpeg", "filters, decoders and encoders with 4 threads each", {"ffmpeg": "ffmpeg"}, ["ffmpeg", "-version"])
def ffmpeg(stage: Stage) -> None:
    film = stage.directory / "film.avi"
    source = f"testsrc=size=320x240:rate=25:duration={1 if stage.quick else 3}"
    common = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "4", "-filter_threads", "4"]
    stage.run([*common, "-f", "lavfi", "-i", source, "-f", "lavfi", "-i", "sine=d=1", "-c:v", "ffv1", "-c:a", "flac", film])
    for name, encoder in {"h264": ["libx264"], "vp9": ["libvpx-vp9", "-deadline", "realtime"], "mpeg4": ["mpeg4", "-bitexact"]}.items():
        words = ["-i", film, "-vf", "scale=160:120,hue=s=0.5", "-an", "-threads", "4", "-c:v", *encoder, "-f", "framemd5", "-"]
        output(stage, *common, *words, name=name)


@case("imagemagick", "filters with OpenMP, 4 threads", {"convert": "imagemagick"}, ["convert", "-version"])
def imagemagick(stage: Stage) -> None:
    size = "200x200" if stage.quick else "500x500"
    picture = ["-size", size, "gradient:red-blue", "-rotate", "30", "-swirl", "90", "-resize", "150%", "-blur", "0x8", "-sharpen", "0x3"]
    output(stage, "convert", "-limit", "thread", "4", *picture, "-format", "%wx%h %#", "info:-", OMP_NUM_THREADS="4")
