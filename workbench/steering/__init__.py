"""Reading and turning the inside of a policy's network: sites, value vectors, edits, directions, probes, and their controls.

Words of this room: a *neuron* is one inner unit of a gated feed-forward layer, its *value vector* the column of the down projection
that it adds to the residual stream; its *flat id* is ``layer * m + index``. A *site* is a place where a tensor can be read or changed.
"""
