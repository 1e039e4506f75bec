# A message over the cap of its recipient waits, or is left out, and says why; another worker knows what
# was sent; emergencies are free.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main', restart_after_crash => 'on');
$server->install('postgres', $web);
$server->ask(<<'END');
	CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, phone text, class text);
	SELECT automation.attach('contact', 'contact');
	SELECT automation.create_rule(class, 'contact', 'created', condition => format('new.class = %L', class), activate => true,
		steps => ARRAY[automation.send_sms('twilio', '{{ phone }}', 'Hi', jsonb_build_object('class', class))])
	FROM unnest('{transactional,emergency}'::text[]) AS class;
	SELECT automation.create_rule('soon', 'contact', 'created', condition => $$ new.class = 'soon' $$, activate => true,
		steps => ARRAY[automation.send_sms('twilio', '{{ phone }}', 'Hi', '{"expires_after": "5min"}')]);
	SELECT automation.create_cap('per day', 2, '1 day');
END

sub enqueue
{
	my ($count, $phone, $class) = @_;
	$server->ask("INSERT INTO contact (phone, class) SELECT '$phone', '$class' FROM generate_series(1, $count)");
	return;
}

sub becomes
{
	my ($query, $name) = @_;
	ok($server->poll_query_until('postgres', $query), $name);
	return;
}
sub states
{
	my ($of) = @_;
	return "(SELECT string_agg(state, ' ' ORDER BY id) FROM automation.deliveries WHERE $of)";
}

# The third waits.
enqueue(3, '+12025550101', 'transactional');
enqueue(1, '+12025550202', 'transactional');
becomes("SELECT @{[ states('true') ]} = 'delivered delivered ready delivered'", 'two go, the third waits, and nobody else');
my $third = q{FROM automation.deliveries WHERE state = 'ready'};
is($server->ask("SELECT reason $third"), 'cap "per day": 2 in 1 day to one address', 'it says why');
like($server->ask("SELECT next_at - now() $third"), qr/^23:5/, 'and until when');
enqueue(3, '+12025550101', 'emergency');
becomes(q{SELECT count(*) = 3 FROM automation.deliveries WHERE rule = 'emergency' AND state = 'delivered'}, 'emergencies are free');
enqueue(1, '+12025550101', 'soon');
becomes(q{SELECT state = 'expired' AND reason ~ '^expires before it may be sent: cap "per day"' FROM automation.deliveries WHERE rule = 'soon'},
	'what would be too late by then expires at once');

# The next worker counts on.
my $worker = $server->worker('postgres');
$server->crash(sub { kill 'KILL', $worker });
isnt($server->worker('postgres'), $worker, 'the next worker');
enqueue(2, '+12025550202', 'transactional');
becomes(q{SELECT count(*) = 2 FROM automation.deliveries WHERE state = 'ready' AND reason LIKE 'cap%'}, 'knows what was sent');
is($server->ask(q{SELECT count(*) FROM automation.deliveries WHERE rule = 'transactional' AND state = 'delivered'}), 4, 'and lets one through');

# Time passes, and one of them may go.
$server->ask("UPDATE automation.sending SET at = at - interval '2 days'; UPDATE automation.retry SET due_at = due_at - interval '2 days'");
$server->ask('SELECT automation._wake_worker()');
becomes(q{SELECT count(*) = 6 FROM automation.deliveries WHERE rule = 'transactional' AND state = 'delivered'}, 'what has waited goes when the time allows');

# Left out.
$server->ask(q{SELECT automation.drop_cap('per day'); SELECT automation.create_cap('one', 1, '1 day', on_hit => 'skip')});
enqueue(40, '+12025550303', 'transactional');
becomes(q{SELECT count(*) = 39 FROM automation.deliveries WHERE state = 'suppressed' AND reason = 'cap "one": 1 in 1 day to one address'}, 'the rest may be left out, too');
is($server->ask(q{SELECT count(*) FROM automation.deliveries WHERE rule = 'transactional' AND state = 'delivered'}), 7, 'but for one');

# What is not to be sent twice counts once, though at first there is no place for it.
$server->ask(<<'END');
	ALTER SERVER twilio OPTIONS (ADD on_unknown 'repeat');
	SELECT automation.create_rule(unknown, 'contact', 'created', condition => format('new.class = %L', unknown), activate => true,
		steps => ARRAY[automation.send_sms('twilio', '{{ phone }}', 'Hi', jsonb_build_object('on_unknown', unknown))])
	FROM unnest('{repeat,hold}'::text[]) AS unknown;
	INSERT INTO contact (phone, class) SELECT '+' || (12025560000 + g), CASE WHEN g % 4 > 0 THEN 'repeat' ELSE 'hold' END FROM generate_series(1, 1000) AS g;
END
becomes(q{SELECT count(*) = 1000 FROM automation.deliveries WHERE rule IN ('repeat', 'hold') AND state IN ('delivered', 'suppressed')}, 'of many each ends');
is($server->ask(q{SELECT count(*) FROM automation.deliveries WHERE rule IN ('repeat', 'hold') AND state = 'suppressed'}), 0, 'and is sent');

$server->stop;
done_testing();
