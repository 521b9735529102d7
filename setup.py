import runpy
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = runpy.run_path(str(here / "nengo_dl" / "version.py"))["version"]

plots = ["matplotlib"]
nengo_spa = ["nengo-spa>=2"]
nir = ["nir>=1.0.8"]
# TensorFlow 2.21 no longer brings it
tensorboard = ["tensorboard"]
# data for `python -m nengo_dl.benchmarks digits conversions`, and its pictures
benchmarks = [*plots, "mnist1d", "scikit-learn"]
# what runs exported networks, and what converts them
litert = ["ai-edge-litert"]
onnx = ["onnx", "onnxruntime", "tf2onnx>=1.17"]
docs = [
    # what the notebooks of examples/ use
    *nengo_spa,
    *nir,
    *plots,
    *tensorboard,
    "ipykernel",
    "scikit-learn",
    # what makes pages of them
    "furo",
    "myst-nb>=1.1",
    "numpydoc",
    "sphinx",
    "sphinx-mathjax-offline",
]
tests = [
    *nir,
    *tensorboard,
    "hypothesis",
    "matplotlib",
    # data of examples/mnist1d_lmu.py
    "mnist1d",
    "mypy>=1.15",
    "pytest-allclose",
    "pytest-plt",
    "pytest-rng",
    "pytest-xdist>=3.2",
    # the pytest plugin that Nengo ships does not load in pytest 9
    "pytest>=8,<9",
    # its formatting may change from one minor version to the next
    "ruff==0.17.*",
    "scikit-learn",
    "scipy",
    # Nengo's test suite imports pkg_resources
    "setuptools<81",
]

setup(
    name="nengo-dl",
    version=version,
    description="Run Nengo models in TensorFlow",
    long_description=(here / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    author="The NengoDL founders",
    license="MIT",
    license_files=["LICENSE"],
    packages=find_packages(include=["nengo_dl", "nengo_dl.*"]),
    package_data={"nengo_dl": ["py.typed"]},
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=[
        "nengo>=4.1",
        "numpy>=1.26",
        "progressbar2>=4.2",
        "tensorflow>=2.18",
    ],
    extras_require={
        "all": sorted({*benchmarks, *docs, *nengo_spa, *nir, *plots, *tests}),
        "benchmarks": benchmarks,
        "docs": docs,
        "litert": litert,
        "nengo-spa": nengo_spa,
        "nir": nir,
        "onnx": onnx,
        "plots": plots,
        "tensorboard": tensorboard,
        "tests": tests,
    },
    entry_points={"nengo.backends": ["dl = nengo_dl:Simulator"]},
    keywords="neural simulation, spiking neurons, nengo, tensorflow",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
