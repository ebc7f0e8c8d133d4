"""A user's ``nn.Module`` -> Graph.

``loading`` finds the module that a reference names, ``capture`` runs it once on tensors without
contents and notes every call below the module level, ``translate`` says what each call means.
"""
