# Messages of one row through one channel leave in the order in which they were made, where the rule
# asks for it, through retries and the end of the worker; one row never blocks another.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main', restart_after_crash => 'on');
$server->install('postgres', $web);
my $url = 'http://127.0.0.1:' . $web->port;
$server->ask(<<"END");
	CREATE TABLE job (id bigint PRIMARY KEY, word text DEFAULT 'x', argument text DEFAULT 'x', n integer DEFAULT 0);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_channel('erp', 'webhook', '{"base_url": "$url", "breaker_failures": "0"}');
	SELECT automation.create_rule('tell', 'job', 'updated', activate => true, steps => ARRAY[
		automation.send_webhook('erp', '/{{ word }}/{{ argument }}/{{ id }}', '{"id": "{{ id }}", "n": "{{ n }}"}',
			options => '{"ordered": true, "retry_schedule": "1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s"}')]);
	SELECT automation.create_rule('at once', 'job', 'created', activate => true,
		steps => ARRAY[automation.send_webhook('erp', '/at-once')]);
END

sub becomes
{
	my ($query, $name) = @_;
	ok($server->poll_query_until('postgres', $query), $name);
	return;
}

# The numbers that have arrived for a row, in that order.
sub arrived
{
	my ($id) = @_;
	return join ' ', map { $_->{json}{n} } grep { $_->{json} && $_->{json}{id} == $id && $_->{status} == 200 } $web->received;
}
my $settled = q{NOT EXISTS (SELECT FROM automation.deliveries WHERE state NOT IN ('delivered', 'dead', 'cancelled', 'expired'))};

# One that fails at first holds back its row, and no other.
$server->ask("INSERT INTO job SELECT n FROM generate_series(1, 20) AS n");
becomes("SELECT $settled", 'the others leave');
$server->ask(q{UPDATE job SET n = 1, argument = 2, word = CASE WHEN id = 1 THEN 'fail-then-ok' ELSE 'x' END});
for my $n (2 .. 5) { $server->ask("UPDATE job SET n = $n, word = 'x'") }
becomes(q{SELECT count(*) = 95 FROM automation.deliveries WHERE rule = 'tell' AND state = 'delivered'}, 'other rows go past one that is tried again');
becomes(q{SELECT count(*) = 4 FROM automation.deliveries WHERE rule = 'tell' AND state = 'ready' AND reason ~ '^waits for delivery [0-9]+ of the same row$'},
	'what waits behind it is ready, and says for what');
like($server->psql('postgres', q{SELECT automation.retry(id) FROM automation.deliveries WHERE state = 'ready' LIMIT 1}) ? 'refused' : 'done', qr/refused/, 'nobody can have it jump the queue');
becomes("SELECT $settled", 'all are sent in the end');
is(arrived(1), '1 2 3 4 5', 'those of the row in order');
is(join(',', grep { arrived($_) ne '1 2 3 4 5' } 2 .. 20), '', 'and those of the others too');
is($server->ask('SELECT count(*) FROM automation.queue'), 0, 'and no place in a queue is held');
is($server->ask('SELECT count(*) FROM automation.retry'), 0, 'nothing waits');

# In one statement, and in one transaction.
$server->ask(join ';', 'BEGIN', (map { "UPDATE job SET n = $_" } 6 .. 9), 'COMMIT');
becomes("SELECT $settled", 'those of one transaction are sent');
is(join(',', grep { arrived($_) ne '1 2 3 4 5 6 7 8 9' } 1 .. 20), '', 'in order');

# Whatever ends one lets the next go.
$server->ask(q{UPDATE job SET n = 10, word = 'status', argument = 404 WHERE id = 1; UPDATE job SET n = 11, word = 'x' WHERE id = 1});
becomes("SELECT $settled", 'one that is dead');
is(arrived(1), '1 2 3 4 5 6 7 8 9 11', 'lets the next one go');
$server->ask(<<'END');
	SELECT automation.alter_rule('tell', steps => ARRAY[automation.send_webhook('erp', '/{{ word }}/{{ argument }}/{{ id }}', '{"id": "{{ id }}", "n": "{{ n }}"}',
		options => '{"ordered": true, "expires_after": "3s", "retry_schedule": "5s"}')]);
	UPDATE job SET n = 12, word = 'status', argument = 503 WHERE id = 2; UPDATE job SET n = 13, word = 'x' WHERE id = 2;
END
becomes("SELECT $settled", 'one that expires');
like(arrived(2), qr/9 13$/, 'does, too');

# The worker is killed while rows wait; the next one finds their order in the tables.
$server->ask(<<'END');
	SELECT automation.alter_rule('tell', steps => ARRAY[automation.send_webhook('erp', '/{{ word }}/{{ argument }}/{{ id }}', '{"id": "{{ id }}", "n": "{{ n }}"}',
		options => '{"ordered": true, "retry_schedule": "300ms, 300ms, 300ms, 300ms, 300ms, 300ms, 300ms, 300ms, 300ms"}')]);
	INSERT INTO job SELECT n FROM generate_series(101, 120) AS n;
END
for my $n (1 .. 6)
{
	my $order = $n % 2 ? "word = 'fail-then-ok', argument = $n" : "word = 'delay', argument = 20$n";
	$server->ask("UPDATE job SET n = $n, $order WHERE id > 100");
	next if $n % 2 == 0;
	my $worker = $server->worker('postgres');
	$server->crash(sub { kill 'KILL', $worker });
}
becomes("SELECT $settled", 'all are sent, whoever was killed');
for my $id (101 .. 120)
{
	my @first = do { my %seen; grep { !$seen{$_}++ } split / /, arrived($id) }; # what was in flight may come twice
	is("@first", '1 2 3 4 5 6', "row $id in order");
}
is($server->ask('SELECT count(*) FROM automation.queue'), 0, 'and no place in a queue is held');

$server->stop;
done_testing();
