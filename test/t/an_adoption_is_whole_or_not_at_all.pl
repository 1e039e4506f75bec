# A copy is adopted when adopt() is committed and not before, whatever becomes of who says so.
use strict;
use warnings;
use Crash;
use Test::More;

my $crash = Crash->begin('webhook');

sub state_of_copy { return $crash->answer("SELECT automation._is_copy(), string_agg(DISTINCT state, ' ') FROM automation.deliveries WHERE run_id = (SELECT max(run_id) FROM automation.deliveries)") }

for my $case ([ 'a transaction is about to commit', 0 ], [ 'a transaction is committed', 1 ], [ 'the worker is called', 1 ])
{
	my ($point, $adopted) = @$case;
	for my $blow (qw(kill postmaster immediate))
	{
		$crash->answer("UPDATE automation.home SET name = 'another'");
		$crash->answer("INSERT INTO job (kind) VALUES ('webhook')");
		is(state_of_copy(), 't|held', 'what a copy has is held');
		$crash->arm($point, "$blow backend");
		$crash->{server}->psql('postgres', "SELECT automation.adopt('resume')");
		$crash->answer('SELECT 1');
		my $is = state_of_copy();
		like($is, $adopted || $blow ne 'kill' ? qr/^[ft]\|/ : qr/^t\|held$/, "$blow where $point: " . ($is =~ /^t/ ? 'still a copy' : 'adopted'));
		like($is, qr/^f\|/, 'adopted, since it was committed') if $adopted;
		$crash->answer("SELECT automation.adopt('resume')") if $is =~ /^t/;
		ok(Crash::holds_within(10, sub { $crash->is_done }), 'then all is delivered');
	}
}
$crash->balance;
done_testing();
