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
        bool inForce;
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
        require(terms.insured != address(0) && terms.insured != address(this), BandCoverInvalidInsured(terms.insured));
        require(terms.feed.code.length != 0, BandCoverInvalidFeed(terms.feed));
        require(terms.low <= terms.high, BandCoverInvalidBand(terms.low, terms.high));
        require(
            terms.start >= block.timestamp && terms.start <= terms.end,
            BandCoverInvalidPeriod(terms.start, terms.end)
        );
        require(terms.amount != 0, BandCoverInvalidAmount(terms.amount));

        // Effects
        id = ++_count;
        _covers[id] = Cover(msg.sender, false, terms);
        emit CoverOpened(id, msg.sender, terms.insured, terms.feed, terms.amount, terms.premium);

        // Interactions
        TOKEN.safeTransferFrom(msg.sender, address(this), terms.amount);
    }

    /// @inheritdoc IBandCover
    function accept(uint256 id) external {
        // Checks
        Cover memory cover = _openCover(id);
        require(!cover.inForce, BandCoverAccepted(id));
        require(block.timestamp <= cover.terms.start, BandCoverTooLate(id, cover.terms.start));

        // Effects
        _covers[id].inForce = true;
        emit CoverAccepted(id, msg.sender, cover.terms.premium);

        // Interactions
        TOKEN.safeTransferFrom(msg.sender, cover.insurer, cover.terms.premium);
    }

    /// @inheritdoc IBandCover
    function settle(uint256 id, uint80 roundId) external {
        // Checks
        Cover memory cover = _openCover(id);
        Terms memory terms = cover.terms;
        require(cover.inForce, BandCoverNotAccepted(id));
        (, int256 answer, uint256 startedAt, uint256 updatedAt, ) = IAggregatorV3(terms.feed).getRoundData(roundId);
        require(
            updatedAt >= terms.start && startedAt <= terms.end,
            BandCoverOutsidePeriod(updatedAt, startedAt, terms.start, terms.end)
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
        Terms memory terms = cover.terms;
        uint256 until = cover.inForce ? uint256(terms.end) + terms.grace : terms.start;
        require(block.timestamp > until, BandCoverNotOver(id, until));

        // Effects
        delete _covers[id];
        emit CoverReturned(id);

        // Interactions
        TOKEN.safeTransfer(cover.insurer, terms.amount);
    }

    /// @inheritdoc IBandCover
    function coverOf(uint256 id) external view returns (address insurer, bool inForce, Terms memory terms) {
        Cover memory cover = _covers[id];
        return (cover.insurer, cover.inForce, cover.terms);
    }

    function _openCover(uint256 id) private view returns (Cover memory cover) {
        cover = _covers[id];
        require(cover.insurer != address(0), BandCoverNotOpen(id));
    }
}
