"""What the ways of acting on leadership share."""
