"""Everything that is derived: counts, conventions, memory, receptive field, reports. Pure, standard library alone."""
