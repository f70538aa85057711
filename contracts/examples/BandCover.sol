// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IAggregatorV3} from "../anchoring/IAggregatorV3.sol";
import {IBandCover} from "./IBandCover.sol";

/// @title A cover that pays when a value leaves its band
contract BandCover is IBandCover {
    using SafeERC20 for IERC20;

    struct Cover {
        address insurer;
        Terms terms;
    }

    IERC20 private immutable TOKEN;

    uint256 private _count;
    mapping(uint256 id => Cover) private _covers;

    /// @param token ITC.
    constructor(IERC20 token) {
        TOKEN = token;
    }

    /// @inheritdoc IBandCover
    function open(Terms calldata terms) external returns (uint256 id) {
        // Checks
        require(terms.insured != address(0), BandCoverInvalidInsured(terms.insured));
        require(terms.feed.code.length != 0, BandCoverInvalidFeed(terms.feed));
        require(terms.low <= terms.high, BandCoverInvalidBand(terms.low, terms.high));
        // Some feeds answer with time 0 for a round that they don't have.
        require(terms.start != 0 && terms.start <= terms.end, BandCoverInvalidPeriod(terms.start, terms.end));
        require(terms.amount != 0, BandCoverInvalidAmount(terms.amount));

        // Effects
        id = ++_count;
        _covers[id] = Cover(msg.sender, terms);
        emit CoverOpened(id, msg.sender, terms.insured, terms.feed, terms.amount);

        // Interactions
        TOKEN.safeTransferFrom(msg.sender, address(this), terms.amount);
    }

    /// @inheritdoc IBandCover
    function settle(uint256 id, uint80 roundId) external {
        // Checks
        Terms memory terms = _openCover(id).terms;
        (, int256 answer, , uint256 updatedAt, ) = IAggregatorV3(terms.feed).getRoundData(roundId);
        require(
            updatedAt >= terms.start && updatedAt <= terms.end,
            BandCoverOutsidePeriod(updatedAt, terms.start, terms.end)
        );
        require(answer < terms.low || answer > terms.high, BandCoverWithinBand(answer, terms.low, terms.high));

        // Effects
        delete _covers[id];
        emit CoverPaid(id, roundId, answer, updatedAt);

        // Interactions
        TOKEN.safeTransfer(terms.insured, terms.amount);
    }

    /// @inheritdoc IBandCover
    function giveBack(uint256 id) external {
        // Checks
        Cover memory cover = _openCover(id);
        uint256 until = uint256(cover.terms.end) + cover.terms.grace;
        require(block.timestamp > until, BandCoverNotOver(id, until));

        // Effects
        delete _covers[id];
        emit CoverReturned(id);

        // Interactions
        TOKEN.safeTransfer(cover.insurer, cover.terms.amount);
    }

    /// @inheritdoc IBandCover
    function coverOf(uint256 id) external view returns (address insurer, Terms memory terms) {
        Cover memory cover = _covers[id];
        return (cover.insurer, cover.terms);
    }

    function _openCover(uint256 id) private view returns (Cover memory cover) {
        cover = _covers[id];
        require(cover.insurer != address(0), BandCoverNotOpen(id));
    }
}
