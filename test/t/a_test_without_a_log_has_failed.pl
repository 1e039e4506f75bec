# test/one counts what a test says. One that says nothing, or whose log has gone, has failed, however it ended.
use strict;
use warnings;
use PostgreSQL::Test::Utils qw(append_to_file slurp_file);
use Test::More;

my $base = $ENV{TESTDIR};
my $ran  = 0;

# What test/one makes of a script that does this.
sub counts
{
	my ($script) = @_;
	my $name = 'sample_' . ++$ran;
	append_to_file("$base/$name.pl", $script);
	local $ENV{LOGS}  = "$base/logs$ran";
	local $ENV{TALLY} = "$base/tally$ran";
	mkdir $ENV{LOGS} or die "$ENV{LOGS}: $!";
	my $status = system "test/one tap '$base/$name.pl' >'$base/out$ran' 2>&1";
	my $tally  = slurp_file($ENV{TALLY});
	chomp $tally;
	return ($status == 0 ? 'passes' : 'fails') . " $tally";
}

is(counts('use Test::More tests => 2; ok 1; ok 1;'), 'passes tap 2 0', 'two tests that pass');
is(counts('use Test::More tests => 2; ok 1; ok 0;'), 'fails tap 1 1', 'one that does not');
is(counts('use Test::More tests => 1; ok 1; exit 3;'), 'fails tap 1 1', 'one that ends badly');
is(counts('use Test::More skip_all => "not here";'), 'passes tap 0 0', 'one that is skipped');
is(counts('use Test::More tests => 1; ok 1; unlink glob "$ENV{LOGS}/*";'), 'fails tap 0 1', 'one whose log vanishes');
like(slurp_file("$base/out5"), qr/its log is gone/, 'which is said');

done_testing();
