# A server with the library preloaded, for a TAP script. It is a PostgreSQL::Test::Cluster that knows more.
#
#   my $server = Server->begin('main', restart_after_crash => 'on');  # started, with these settings
#   $server->install('postgres', $web);      # the extension, and the channels hook and twilio into a web sink
#   $server->tell_of_jobs('postgres');       # a table and its rules
#   $server->ask('SELECT ...');              # in the database postgres
package Server;

use strict;
use warnings;
use parent 'PostgreSQL::Test::Cluster';
use PostgreSQL::Test::Utils (); # its names are those of methods
use Test::More ();
use Time::HiRes ();

sub begin
{
	my ($class, $name, %settings) = @_;
	my $self    = $class->new($name);
	my $secrets = $self->basedir . '/secrets';
	mkdir $secrets, 0700 or die "$secrets: $!";
	$self->secret('token', 'only the worker reads this');

	$self->init;
	%settings = (
		shared_preload_libraries    => 'pg_automation',
		'pg_automation.secrets_dir' => $secrets,
		log_statement               => 'none',
		%settings);
	$self->append_conf('postgresql.conf', "$_ = '$settings{$_}'") for sort keys %settings;
	$self->start;
	return $self;
}

# Keeps a secret, as the file of that name, for this machine or another host.
sub secret
{
	my ($self, $name, $text, $host) = @_;
	my $folder = $self->basedir . '/secrets/' . ($host // '127.0.0.1');
	mkdir $folder, 0700;
	unlink "$folder/$name";
	PostgreSQL::Test::Utils::append_to_file("$folder/$name", $text);
	chmod 0600, "$folder/$name" or die "$folder/$name: $!";
	return;
}

sub install
{
	my ($self, $database, $web) = @_;
	my $url = 'http://127.0.0.1:' . $web->port;
	$self->safe_psql($database, <<"END");
		CREATE EXTENSION pg_automation;
		ALTER FOREIGN DATA WRAPPER pg_automation
			OPTIONS (ADD allow_http 'true', ADD allowed_networks '127.0.0.0/8');
		CREATE SERVER hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url '$url');
		CREATE SERVER twilio FOREIGN DATA WRAPPER pg_automation
			OPTIONS (channel 'sms', base_url '$url', sender '+15005550006');
		CREATE USER MAPPING FOR PUBLIC SERVER twilio
			OPTIONS (username 'AC00000000000000000000000000000000', password 'file:token');
END
	return;
}

# A table of jobs that tell of themselves: by a webhook and, where there is a phone, by a text; and after a second,
# unless they are done by then, once more.
sub tell_of_jobs
{
	my ($self, $database) = @_;
	$self->safe_psql($database, <<'END');
		CREATE TABLE job (
			id bigint PRIMARY KEY,
			phone text,
			word text NOT NULL DEFAULT 'delay', -- to the sink
			number integer NOT NULL DEFAULT 0,
			done boolean NOT NULL DEFAULT false);
		SELECT automation.attach('job', 'job');
		SELECT automation.create_rule('tell', 'job', 'created', activate => true, steps => ARRAY[
			automation.send_webhook('hook', '/{{ word }}/{{ number }}/{{ id }}', '{"job": "{{ id }}"}'),
			automation.only_if('new.phone IS NOT NULL', automation.send_sms('twilio', '{{ phone }}', '{{ id }}'))]);
		SELECT automation.create_rule('remind', 'job', 'created', activate => true, steps => ARRAY[
			automation.after('1 second', automation.send_webhook('hook', '/', '{"late": "{{ id }}"}'), cancel_if_changed => '{done}')]);
END
	return;
}

# What has become of jobs: of the messages of each, and of what is planned.
sub told
{
	my ($self, $database) = @_;
	return $self->safe_psql($database // 'postgres', <<'END');
		SELECT string_agg(j.key || ' ' || j.rule || ' ' || coalesce(j.state, 'waiting'), ', ' ORDER BY j.key::bigint, j.rule DESC, j.id)
		FROM (
			SELECT l.key, l.rule, d.state, d.id
			FROM automation.execution_log AS l LEFT JOIN automation.deliveries AS d ON d.run_id = l.id
		) AS j
END
}

sub tells
{
	my ($self, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $told;
	for (1 .. 100)
	{
		$told = $self->told;
		last if $told eq $expected;
		Time::HiRes::sleep(0.1);
	}
	Test::More::is($told, $expected, $name);
	return;
}

# A finding of check(), when there is something wrong.
sub finding
{
	my ($self, $check) = @_;
	return $self->ask("SELECT detail FROM automation.check() WHERE NOT ok AND \"check\" = '$check'");
}

sub ask
{
	my ($self, $query) = @_;
	return $self->safe_psql('postgres', $query);
}

# The process of the worker of a database, once it is there.
sub worker
{
	my ($self, $database) = @_;
	my $find = "FROM pg_stat_activity WHERE backend_type = 'pg_automation worker' AND datname = '$database'";
	$self->poll_query_until('postgres', "SELECT count(*) = 1 $find") or die "no worker in database $database\n";
	return $self->ask("SELECT pid $find");
}

# Does something that makes the server restart itself, and comes back when it has.
sub crash
{
	my ($self, $blow) = @_;
	my $offset = -s $self->logfile;
	$blow->();
	$self->wait_for_log(qr/all server processes terminated; reinitializing.*ready to accept connections/s, $offset);
	return;
}

1;
