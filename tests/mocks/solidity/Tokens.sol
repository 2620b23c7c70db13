// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// Token implementations of OpenZeppelin and Solady, made deployable: each adds a name and a faucet, and nothing else.

import {ERC20 as OpenZeppelinERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20FlashMint} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20FlashMint.sol";
import {ERC20Pausable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Pausable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC1363} from "@openzeppelin/contracts/token/ERC20/extensions/ERC1363.sol";
import {IERC3156FlashBorrower} from "@openzeppelin/contracts/interfaces/IERC3156FlashBorrower.sol";
import {ERC20 as SoladyERC20} from "solady/src/tokens/ERC20.sol";
import {WETH} from "solady/src/tokens/WETH.sol";

contract PlainToken is OpenZeppelinERC20 {
    constructor() OpenZeppelinERC20("Plain token", "PLAIN") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function faucet(uint256 amount) external {
        _mint(msg.sender, amount);
    }
}

contract PermitToken is ERC20Permit, ERC20Burnable {
    constructor() OpenZeppelinERC20("Permit token", "PERMIT") ERC20Permit("Permit token") {}

    function faucet(uint256 amount) external {
        _mint(msg.sender, amount);
    }
}

contract FlashToken is ERC20FlashMint, ERC1363 {
    constructor() OpenZeppelinERC20("Flash token", "FLASH") {}

    function faucet(uint256 amount) external {
        _mint(msg.sender, amount);
    }
}

contract PausableToken is ERC20Pausable {
    constructor() OpenZeppelinERC20("Pausable token", "PAUSE") {}

    function faucet(uint256 amount) external {
        _mint(msg.sender, amount);
    }

    function setPaused(bool paused_) external {
        if (paused_) _pause();
        else _unpause();
    }
}

contract SoladyToken is SoladyERC20 {
    function name() public pure override returns (string memory) {
        return "Solady token";
    }

    function symbol() public pure override returns (string memory) {
        return "SOLADY";
    }

    function faucet(uint256 amount) external {
        _mint(msg.sender, amount);
    }
}

contract WrappedEther is WETH {}

interface ICustodyOfFunding {
    function deposit(address token, uint256 amount, address account, bool to_funding) external;

    function withdraw_funding(address token, uint256 amount, address recipient) external;
}

// Borrows tokens that do not exist, deposits them, and pays them back out of the custody contract or not at all.
contract FlashBorrower is IERC3156FlashBorrower {
    ICustodyOfFunding private immutable custody;
    bool private immutable honest;

    constructor(address custody_, bool honest_) {
        custody = ICustodyOfFunding(custody_);
        honest = honest_;
    }

    function borrow(ERC20FlashMint token, uint256 amount) external {
        token.flashLoan(this, address(token), amount, "");
    }

    function onFlashLoan(address, address token, uint256 amount, uint256, bytes calldata) external returns (bytes32) {
        ERC20FlashMint(token).approve(address(custody), amount);
        custody.deposit(token, amount, address(this), true);
        if (honest) custody.withdraw_funding(token, amount, address(this));
        ERC20FlashMint(token).approve(token, amount);
        return keccak256("ERC3156FlashBorrower.onFlashLoan");
    }
}
