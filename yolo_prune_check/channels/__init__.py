"""The channel graph: tracing, one rule per operator, edges and groups, and the prediction of a plan."""
