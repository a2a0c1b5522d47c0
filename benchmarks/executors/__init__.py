"""Which executor keeps a control timer in time."""
