"""Package metadata. Name, version, description and licence are read from package.xml."""

import os
import xml.etree.ElementTree as ET
from glob import glob

from setuptools import find_packages, setup

package = ET.parse("package.xml").getroot()
NAME = package.findtext("name")
SHARE = f"share/{NAME}"


def tree(folder):
    """Pairs (install folder, files) of everything under `folder`."""
    pairs = []
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__")))
        kept = sorted(f for f in files if not f.startswith("."))
        if kept:
            pairs.append((f"{SHARE}/{path}", [f"{path}/{f}" for f in kept]))
    return pairs


EXTRAS = {
    "cpu": ["onnxruntime>=1.20"],
    "gpu": ["onnxruntime-gpu>=1.20"],
    "sim": ["pybullet>=3.2.5"],
    "ros": ["ros-rclpy[fastrtps]>=7.1", "ros-common-interfaces>=5.3", "ros-lifecycle-msgs>=2.0"],
    "train": [
        "torch==2.13.0",
        "onnx>=1.17",
        "onnxscript>=0.5",
        "safetensors>=0.4",
        "tensorboard>=2.16",
    ],
    "dev": [
        "build>=1.2",
        "colcon-common-extensions>=0.3",
        "hypothesis>=6.100",
        "import-linter>=2.1",
        "mypy>=1.13",
        "pytest>=8.2",
        "pytest-timeout>=2.3",
        "ruff>=0.9",
        "types-PyYAML>=6.0.12",
    ],
}

setup(
    name=NAME,
    version=package.findtext("version"),
    description=package.findtext("description"),
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    license=package.findtext("license"),
    maintainer=package.findtext("maintainer"),
    maintainer_email=package.find("maintainer").get("email"),
    keywords=["ROS 2", "world model", "model predictive control", "robot arm"],
    classifiers=[
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={"": ["py.typed", "*.j2", "*.html", "*.css", "*.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"lib/{NAME}", sorted(glob(f"lib/{NAME}/*"))),
        (SHARE, ["package.xml"]),
        *tree("launch"),
        *tree("config"),
        *tree("sim"),
        *tree("models"),
    ],
    install_requires=[
        "jinja2>=3.1",
        "matplotlib>=3.8",
        "mcap>=1.2",
        "numpy>=1.26",
        "opencv-python-headless>=4.8",
        "pin>=3.0",
        "pin-pink>=3.1",
        "pydantic>=2.7",
        "pyyaml>=6.0",
        "quadprog>=0.1.12",
        "rich>=13.7",
        "rosbags>=0.10.4",
        "typer>=0.12",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["loopwm = loopwm_ros.cli.main:app"]},
)
