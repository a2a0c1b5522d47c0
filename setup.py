"""Package metadata. Name, version, description and licence are read from package.xml."""

import xml.etree.ElementTree as ET
from pathlib import Path

from setuptools import find_packages, setup

package = ET.parse("package.xml").getroot()
NAME = package.findtext("name")
SHARE = f"share/{NAME}"
HERE = Path(__file__).resolve().parent  # a symlink install runs a linked setup.py elsewhere


def tree(folder: str) -> list[tuple[str, list[str]]]:
    """Pairs (install folder, [file]) of everything under `folder`."""
    files = sorted(p for p in Path(folder).rglob("*") if p.is_file())
    kept = [p for p in files if not any(part.startswith((".", "__")) for part in p.parts)]
    return [(f"{SHARE}/{p.parent}", [str(p)]) for p in kept]


EXTRAS = {
    "cpu": ["onnxruntime>=1.20"],
    "gpu": ["onnx>=1.17", "onnxruntime-gpu>=1.20"],  # onnx: joins a bundle's graphs to one
    "sim": ["mujoco>=3.12,<4", "psutil>=5.9", "pybullet>=3.2.5"],
    "ray": ["ray>=2.40"],
    "ros": [
        "ros-rclpy[fastrtps]>=7.1",
        "ros-common-interfaces>=5.3",
        "ros-lifecycle-msgs>=2.0",
        "ros-ament-index-python>=1.8",
    ],
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
        "pypdfium2>=5.0",
        "pytest-timeout>=2.3",
        "ray>=2.40",
        "ruff>=0.9",
        "types-PyYAML>=6.0.12",
        "types-defusedxml>=0.7",
        "types-psutil>=7.0",
    ],
}

setup(
    name=NAME,
    version=package.findtext("version"),
    description=package.findtext("description"),
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
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
    include_package_data=False,
    package_data={
        NAME: ["py.typed"],
        f"{NAME}.calibration": ["templates/*"],
        f"{NAME}.training.evaluation": ["templates/*"],
        f"{NAME}.validation": ["templates/*"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"lib/{NAME}", sorted(str(p) for p in Path("lib", NAME).iterdir() if p.is_file())),
        (SHARE, ["package.xml"]),
        *tree("launch"),
        *tree("calibration/boards"),
        *tree("config"),
        *tree("sim"),
        *tree("models"),
    ],
    install_requires=[
        "annotated-types>=0.6",
        "coal>=3.0",
        "cryptography>=42",
        "defusedxml>=0.7.1",
        "jinja2>=3.1",
        "matplotlib>=3.8",
        "mcap>=1.2",
        "numpy>=1.26",
        "opencv-python-headless>=4.8,<5",  # 5.0 has no calibrateHandEye in Python
        "pillow>=10.0",
        "pin>=3.0",
        "pin-pink>=3.1",
        "pydantic>=2.7",
        "pyyaml>=6.0",
        "quadprog>=0.1.12",
        "rich>=13.7",
        "rosbags>=0.10.4",
        "ruckig>=0.12",
        "scipy>=1.11",
        "typer>=0.12",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["loopwm = loopwm_ros.cli.main:main"]},
)
