"""The pure half of timing: plan, statistics, roofline. ``pytorch`` runs the models."""
