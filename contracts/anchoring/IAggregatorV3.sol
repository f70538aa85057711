// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title How contracts read a feed: the functions of Chainlink's AggregatorV3Interface
/// @notice See https://docs.chain.link/data-feeds/api-reference. Written anew with the same selectors, so that a consumer made for a
///         Chainlink feed reads ours unchanged.
interface IAggregatorV3 {
    /// @notice Decimals of the fixed-point answers.
    function decimals() external view returns (uint8);

    /// @notice What the answers are of, for people.
    function description() external view returns (string memory);

    /// @notice The version of the feed's kind.
    function version() external view returns (uint256);

    /// @notice A round that is still kept.
    /// @param round Its number, from 1.
    /// @return roundId The round.
    /// @return answer Fixed point with `decimals()`.
    /// @return startedAt When the round was made, Unix seconds.
    /// @return updatedAt How old the answer is, Unix seconds: consumers compare it with the time of the block.
    /// @return answeredInRound The round itself; kept for those who still look at it.
    function getRoundData(
        uint80 round
    )
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    /// @notice The latest round, in the same shape.
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
