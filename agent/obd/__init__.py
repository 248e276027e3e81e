"""What OBD-II answers mean: messages, PIDs, who a unit is, its codes and freeze frames."""
