# An error at any point of the worker's way, or the word to end there, ends at most the worker: the next one goes on
# within seconds, with everything.
use strict;
use warnings;
use Crash;

Crash::troubled('webhook');
