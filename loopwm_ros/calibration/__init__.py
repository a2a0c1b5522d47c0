"""Calibration of cameras, of where they are, of joints and of time; built on OpenCV and pinocchio."""
