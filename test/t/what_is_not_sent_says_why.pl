# What the worker cannot send says why in the outbox; what a server is not set up for says so at once.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Socket qw(inet_ntoa);
use Sys::Hostname;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

# Without the preload.
$node->safe_psql('postgres', <<'END');
	CREATE EXTENSION pg_automation;
	CREATE TABLE job (id bigint PRIMARY KEY, body text, recipient text);
	SELECT automation.attach('job', 'job');
	CREATE SERVER early FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hook.example');
	SELECT automation.create_rule('early', 'job', 'created', steps => ARRAY[automation.send_webhook('early')], activate => true);
	INSERT INTO job VALUES (1);
	INSERT INTO automation.attempt (delivery_id, number, epoch, outcome) VALUES (1, 1, 1, 'dead');
END
is($node->safe_psql('postgres', 'SELECT state FROM automation.deliveries'), 'dead', 'without the preload rules run');
my ($status, undef, $error) = $node->psql('postgres', 'SELECT automation.retry(1)', extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($error, qr/ERROR: +55000: pg_automation must be loaded via shared_preload_libraries\nHINT: +Add it there and restart the server\./,
	'but nobody can send');
is($node->safe_psql('postgres', q{SELECT ok FROM automation.check() WHERE "check" = 'library'}), 'f', 'check() tells it too');

# With it, and without rules of superusers.
my $secrets = $node->basedir . '/secrets';
my $folder  = "$secrets/api.twilio.com";
mkdir $_, 0700 or die "$_: $!" for $secrets, $folder;
append_to_file("$folder/$_", 'secret') for qw(open token);
chmod 0644, "$folder/open";
chmod 0600, "$folder/token";
symlink 'token', "$folder/link" or die "symlink: $!";
$node->append_conf('postgresql.conf', <<"END");
	shared_preload_libraries = 'pg_automation'
	pg_automation.secrets_dir = '$secrets'
	pg_automation.superuser_rules = off
END
$node->restart;
($status, undef, $error) = $node->psql('postgres',
	q{SELECT automation.create_rule('root', 'job', 'created', steps => ARRAY[automation.notify('1', 'x')])},
	extra_params => [ '-v', 'VERBOSITY=verbose' ]);
like($error, qr/ERROR: +42501: rules owned by a superuser are not allowed\nHINT/, 'a superuser may be told not to own rules');
is($node->safe_psql('postgres', q{SELECT problem FROM automation.rules WHERE name = 'early'}),
	'pg_automation.superuser_rules is off', 'and those he had take no runs');

# Each channel fails in its own way: the reason of the first attempt.
my %reason_of = (
	missing  => 'could not open secret "api.twilio.com/missing": No such file or directory',
	open     => 'secret file "api.twilio.com/open" has group or world access',
	link     => 'could not open secret "api.twilio.com/link": Too many levels of symbolic links',
	long     => 'message body has 1601 characters',
	nobody   => 'invalid phone number "nobody"');
# This machine's own name leads to an inner address nearly everywhere.
my $host    = hostname();
my $address = gethostbyname($host) ? inet_ntoa(scalar gethostbyname($host)) : '';
$reason_of{internal} = "host \"$host\" resolves to blocked address $address" if $address =~ /^(127|10|192\.168|172\.(1[6-9]|2\d|3[01]))\./;
$node->safe_psql('postgres', <<"END");
	CREATE ROLE author;
	SELECT automation.grant_access('author', 'author');
	GRANT SELECT, TRIGGER ON job TO author;
	SELECT automation.drop_rule('early');
	CREATE SERVER internal FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://$host');
	GRANT USAGE ON FOREIGN SERVER internal TO author;
END
for my $name (qw(missing open link long nobody))
{
	$node->safe_psql('postgres', <<"END");
		CREATE SERVER $name FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
		CREATE USER MAPPING FOR PUBLIC SERVER $name
			OPTIONS (username 'AC00000000000000000000000000000000', password 'file:@{[ $name =~ /long|nobody/ ? 'token' : $name ]}');
		GRANT USAGE ON FOREIGN SERVER $name TO author;
END
}
$node->safe_psql('postgres', <<"END");
	SET ROLE author;
	SELECT automation.create_rule(name, 'job', 'created', condition => format('new.recipient = %L', name), activate => true,
		steps => ARRAY[CASE name
			WHEN 'internal' THEN automation.send_webhook(name)
			WHEN 'nobody' THEN automation.send_sms(name, '{{ recipient }}', 'x')
			ELSE automation.send_sms(name, '+12025550199', '{{ body }}') END])
	FROM unnest('{@{[ join ',', sort keys %reason_of ]}}'::text[]) AS name;
	RESET ROLE;
	INSERT INTO job SELECT 1 + place, repeat('x', CASE name WHEN 'long' THEN 1601 ELSE 1 END), name
	FROM unnest('{@{[ join ',', sort keys %reason_of ]}}'::text[]) WITH ORDINALITY AS n(name, place);
END
$node->poll_query_until('postgres', 'SELECT count(*) = ' . (1 + keys %reason_of) . " FROM automation.attempts WHERE outcome <> 'delivering'")
  or die 'not all was attempted';
for my $name (sort keys %reason_of)
{
	like($node->safe_psql('postgres', "SELECT reason FROM automation.attempts WHERE channel = '$name' ORDER BY id LIMIT 1"),
		qr/^\Q$reason_of{$name}\E/, $name);
}
is( $node->safe_psql('postgres', q{SELECT string_agg(channel, ' ' ORDER BY channel) FROM automation.deliveries WHERE state = 'dead' AND channel <> 'early'}),
	'long nobody', 'only what no later attempt can mend is given up');

$node->stop;
done_testing;
