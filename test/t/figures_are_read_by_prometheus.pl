# What the worker counts, what PostgreSQL shows of it, and prometheus-postgres-exporter reading both with
# the queries of docs/monitoring.
use strict;
use warnings;
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->install('postgres', $web);
my $url = 'http://127.0.0.1:' . $web->port;
$server->ask(<<"END");
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, path text);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_channel('down', 'webhook', '{"base_url": "$url/status/503", "retry_schedule": "1h", "max_attempts": "2"}');
	SELECT automation.create_channel('slow', 'webhook', '{"base_url": "$url/delay/2000"}');
	SELECT automation.create_rule(name, 'job', 'created', condition => format('new.path = %L', name), activate => true,
		steps => ARRAY[automation.send_webhook(name, '/x')]) FROM unnest('{hook,down,slow}'::text[]) AS name;
END
$server->worker('postgres');

# By the worker, in shared memory.
$server->ask(q{INSERT INTO job (path) SELECT unnest('{hook,hook,hook,hook,hook,down,down}'::text[])});
my $counted = q{SELECT string_agg(format('%s %s %s %s', channel, delivered, retried, retrying), ', ' ORDER BY channel) FROM automation.stats WHERE channel IN ('hook', 'down')};
$server->poll_query_until('postgres', $counted, 'down 0 2 2, hook 5 0 0');
is($server->ask($counted), 'down 0 2 2, hook 5 0 0', 'attempts are counted by channel and outcome');
is($server->ask(q{SELECT worker_up = 1 AND worker_silent_seconds < 30 AND turns_total > 0 AND failures_total = 0 FROM automation.metrics}), 't', 'the worker says that it is alive');
is($server->ask(q{SELECT mean_ms >= 0 AND counted_since > now() - interval '1 hour' FROM automation.stats WHERE channel = 'hook'}), 't', 'how long an attempt takes, and since when all that counts');

# In the title of its process.
$server->ask(q{INSERT INTO job (path) SELECT 'slow' FROM generate_series(1, 3)});
ok($server->poll_query_until('postgres', 'SELECT in_flight = 3 FROM automation.metrics'), 'what is under way is shown');
my $worker = $server->worker('postgres');
my $title  = `ps -o args= -p $worker`;
like($title, qr/pg_automation worker postgres: \d+ in flight/, 'and stands in the title of the process');
ok($server->poll_query_until('postgres', 'SELECT in_flight = 0 FROM automation.metrics'), 'until it is answered');
is($server->ask('SELECT count(*) FROM automation.audit_gaps()'), '0', 'a healthy system has no gaps');

# By the exporter, as a role that may do nothing else.
$server->ask(q{CREATE ROLE exporter LOGIN; SELECT automation.grant_access('exporter', 'operator')});
my $port = do { my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die; $socket->sockport };
local $ENV{DATA_SOURCE_NAME} = 'user=exporter host=' . $server->host . ' port=' . $server->port . ' dbname=postgres sslmode=disable';
my $exporter = fork() // die "fork: $!";
if ($exporter == 0)
{
	open STDOUT, '>', "$ENV{TESTDIR}/exporter.log" and open STDERR, '>&', \*STDOUT or die;
	exec 'prometheus-postgres-exporter', "--web.listen-address=127.0.0.1:$port", '--disable-default-metrics',
	  '--disable-settings-metrics', '--extend.query-path=docs/monitoring/queries.yaml' or die "exporter: $!";
}
my $page = '';
for (1 .. 100)
{
	my $answer = HTTP::Tiny->new(timeout => 5)->get("http://127.0.0.1:$port/metrics");
	$page = $answer->{content} if $answer->{success};
	last if $page =~ /^automation_worker_up/m;
	select undef, undef, undef, 0.2;
}
kill 'TERM', $exporter;
waitpid $exporter, 0;
like($page, qr/^automation_worker_up\{[^}]*\} 1$/m, 'Prometheus sees the worker');
like($page, qr/^automation_channel_delivered_total\{channel="hook"[^}]*\} 5$/m, 'what was delivered');
like($page, qr/^automation_channel_retrying\{channel="down"[^}]*\} 2$/m, 'what waits');
like($page, qr/^automation_check_ok\{check="worker"[^}]*\} 1$/m, 'and the checks');

# Every figure that an alert or a panel asks for is there.
my %known = map { $_ => 1 } $page =~ /^(automation_\w+)\{/gm;
for my $file (qw(alerts.yaml dashboard.json))
{
	open my $handle, '<', "docs/monitoring/$file" or die "$file: $!";
	my $text = do { local $/; <$handle> };
	JSON::PP->new->decode($text) if $file =~ /json/;
	my @wanted = $text =~ /\b(automation_(?!queries)[a-z_]+)\b/g;
	cmp_ok(scalar @wanted, '>', 5, "$file asks for figures");
	is(join(' ', grep { !$known{$_} } @wanted), '', 'that are all exported');
}

done_testing();
