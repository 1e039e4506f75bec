# A server with the library preloaded, for a TAP script. It is a PostgreSQL::Test::Cluster that knows more.
#
#   my $server = Server->begin('main', restart_after_crash => 'on');  # started, with these settings
#   $server->install('postgres', $web);      # the extension, and the channels hook and twilio into a web sink
#   $server->ask('SELECT ...');              # in the database postgres
package Server;

use strict;
use warnings;
use parent 'PostgreSQL::Test::Cluster';
use PostgreSQL::Test::Utils (); # its names are those of methods

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
