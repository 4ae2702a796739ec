"""Every command and code block of the documentation, run as a reader would run it.

Comments before a block, which no reader sees, say how:

    <!-- test: file NAME -->        the block is the contents of a file that the page has its reader write
    <!-- test: fragment FILE -->    part of a suite; put into a whole one it must be accepted
    <!-- test: baseline -->         part of a baseline, likewise
    <!-- test: workflow -->         a CI file: YAML, whose commands exist with their options
    <!-- test: make -->             targets of the Makefile that CI runs
    <!-- test: slurm -->            run by the tests that have a cluster
    <!-- test: sh OLD=NEW ... -->   run with words replaced, where NEW may name something of `Desk.values`
    <!-- test: edit FILE OLD=NEW -->  make a file smaller first, so that its commands take seconds
    <!-- test: after PAGE -->       the page goes on where another one ended

Without one, shell and Python blocks are run as they are. A block of any other kind needs one.
"""
