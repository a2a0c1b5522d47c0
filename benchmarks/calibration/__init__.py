"""Calibration against known truth: rendered pictures, and a public set of real ones."""
