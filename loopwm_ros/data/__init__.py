"""Recorded episodes: rosbag2 MCAP in and out, and the dataset that training reads."""
