# Killed at any point of a write, or of a step that comes due, in any manner, while others write: what was committed is
# there with all that rules make of it, and is delivered within ten seconds of the restart; of the rest there is nothing.
use strict;
use warnings;
use Crash;

Crash::everywhere('webhook', 'src/engine/*.cpp', 'src/pg/*.cpp');
