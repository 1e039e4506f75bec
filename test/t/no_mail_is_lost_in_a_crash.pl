# Killed at any point of its way out, in any manner, while others write: no mail is lost, none is invented, all are
# delivered within ten seconds of the restart, and what came twice is marked.
use strict;
use warnings;
use Crash;

Crash::everywhere('email', 'src/worker/*.cpp');
