// An address means the same however it is written, and no spelling slips past its range.
#include "core/address.hpp"
#include "core/failure.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace automation::core;

namespace {

void require(bool holds)
{
	if (!holds)
		std::abort();
}

void try_address(const Address &address)
{
	const std::string text = address.to_string();
	require(Address::parse(text) == address && Address::from_host(text) == address);
	require(Address::from_host('[' + text + ']') == address);
	require(Address::from_bytes(address.bytes()) == address);
	if (address.bytes().size() == 4) {
		require(Address::from_host("::ffff:" + text) == address);
		require(Address::from_host(text + '.') == address);
	}
	const std::optional<std::string_view> range = blocked_range(address);
	require(!range || Network::parse(*range).contains(address));
	const Network alone = Network::parse(text);
	require(alone.contains(address) && !refusal(address, {&alone, 1}));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	const std::string text(reinterpret_cast<const char *>(data), size);
	if (const std::optional<Address> address = Address::from_bytes({data, size}))
		try_address(*address);
	if (const std::optional<Address> address = Address::from_host(text))
		try_address(*address);
	try {
		for (const Network &network : parse_networks(text))
			network.contains(*Address::parse("10.0.0.1"));
	} catch (const Failure &) {
	}
	return 0;
}
