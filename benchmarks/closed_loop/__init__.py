"""Which world model serves best behind the same planner, at equal planning time on one core."""
