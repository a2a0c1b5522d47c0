"""Robot-arm control by planning inside a LoopWM world model."""
