// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title ERC-4907: who may use a device besides its owner, and until when
/// @notice See https://eips.ethereum.org/EIPS/eip-4907. Times are Unix seconds.
interface IERC4907 {
    /// @notice Whom the device is lent to until `expires`; 0 when a transfer has ended it.
    /// @dev The one event that isn't of ERC-1056 and has the device in topic 1, where the standard wants the token. Resolvers pass over it, as
    ///      over every event that they don't know.
    event UpdateUser(uint256 indexed tokenId, address indexed user, uint64 expires);

    /// @notice Lends the device to a user until `expires`, which is the last second. Its owner, or an account approved for the token.
    ///         A transfer ends it.
    /// Errors: ERC721NonexistentToken, ERC721InsufficientApproval. Event: UpdateUser.
    function setUser(uint256 tokenId, address user, uint64 expires) external;

    /// @notice Who may use the device now; 0 if nobody, or if it isn't active.
    function userOf(uint256 tokenId) external view returns (address);

    /// @notice Until when the last grant runs or ran.
    function userExpires(uint256 tokenId) external view returns (uint256);
}
