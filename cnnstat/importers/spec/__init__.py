"""Models as YAML.

``reading`` makes a graph of a file, ``writing`` a file of a graph; ``schema`` tells editors the
form. A chain is a list of operators; a branch names what it reads with ``from``; repeats and named
blocks keep it short.
"""
