"""An account at a venue on loopback, in the shapes of Bybit's documented private v5 interface, by hand."""

from collections.abc import Mapping

from fake_venue import FakeVenue, price


class FakeAccount(FakeVenue):
    """A venue that also answers whoever signs; executions come newest first and in short pages."""

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms)
        self.executions: list[dict[str, str]] = []
        self.orders: list[dict[str, str]] = []
        self.open_orders: list[dict[str, str]] = []
        # No page holds more rows, whatever is asked for.
        self.most_rows = 1_000
        self.minds_end = True
        self.position = 0.0
        self.read_only = 1
        self.rights: dict[str, list[str]] = {"ContractTrade": [], "Wallet": []}
        self.wallet = {"USDT": "1000.5", "BTC": "0"}
        self.answers |= {
            "/v5/user/query-api": lambda _: {
                "readOnly": self.read_only,
                "permissions": self.rights,
                "uta": 1,
            },
            "/v5/account/info": lambda _: {"unifiedMarginStatus": 6},
            "/v5/asset/coin/query-info": lambda _: {"rows": []},
            "/v5/execution/list": self._executions,
            "/v5/position/list": self._positions,
            "/v5/order/history": lambda query: self._found(self.orders, "createdTime", query),
            "/v5/order/realtime": self._open,
            "/v5/account/wallet-balance": self._wallet,
        }

    def trade(self, number: int, at_ms: int, amount: float, paid: float, link: str = "", **more: str) -> None:
        """Add a fill; a negative amount sells."""
        self.position += amount
        self.executions.append(
            {
                "symbol": "BTCUSDT",
                "execType": "Trade",
                "execId": f"exec-{number}",
                "orderId": f"order-{number}",
                "orderLinkId": link,
                "side": "Buy" if amount > 0 else "Sell",
                "execQty": str(abs(amount)),
                "execPrice": str(paid),
                "execValue": str(abs(amount) * paid),
                "execFee": "0.5",
                "feeCurrency": "",
                "isMaker": "false",
                "execTime": str(at_ms),
                **more,
            }
        )

    def pay_funding(self, number: int, at_ms: int, cost: float) -> None:
        """Add a payment of funding; the venue counts it as a cost."""
        self.executions.append(
            {
                "symbol": "BTCUSDT",
                "execType": "Funding",
                "execId": f"funding-{number}",
                "execFee": str(cost),
                "execQty": "1",
                "execPrice": "1",
                "execTime": str(at_ms),
            }
        )

    def order(
        self, number: int, at_ms: int, status: str, amount: float, filled: float, link: str = ""
    ) -> None:
        """Add an order; one with status `New` is open, any other done."""
        (self.open_orders if status == "New" else self.orders).append(
            {
                "symbol": "BTCUSDT",
                "orderId": f"order-{number}",
                "orderLinkId": link,
                "orderStatus": status,
                "orderType": "Limit",
                "side": "Buy",
                "price": "100",
                "qty": str(amount),
                "cumExecQty": str(filled),
                "cumExecValue": "0",
                "createdTime": str(at_ms),
                "updatedTime": str(at_ms),
            }
        )

    def _executions(self, query: Mapping[str, str]) -> object:
        kind = query.get("execType", "Trade")
        return self._found([one for one in self.executions if one["execType"] == kind], "execTime", query)

    def _found(self, rows: list[dict[str, str]], time: str, query: Mapping[str, str]) -> object:
        low, high = (
            int(query.get("startTime", 0)),
            int(query.get("endTime", 2**60)) if self.minds_end else 2**60,
        )
        kept = [one for one in rows if low <= int(one[time]) <= high and one["symbol"] == query.get("symbol")]
        newest_first = sorted(kept, key=lambda one: -int(one[time]))
        limit = int(query.get("limit", query.get("size", 50)))
        return {
            "category": "linear",
            "list": newest_first[: min(limit, self.most_rows)],
            "nextPageCursor": "",
        }

    def _open(self, query: Mapping[str, str]) -> object:
        """What is open now; times are not looked at."""
        limit = min(int(query.get("limit", 20)), self.most_rows)
        return {"category": "linear", "list": self.open_orders[:limit], "nextPageCursor": ""}

    def _positions(self, query: Mapping[str, str]) -> object:
        held = {
            "symbol": query.get("symbol", "BTCUSDT"),
            "side": "Buy" if self.position > 0 else "Sell",
            "size": str(abs(self.position)),
            "avgPrice": "100",
            "markPrice": str(price("BTCUSDT", self.now_ms)),
            "positionValue": "1",
            "leverage": "1",
            "updatedTime": str(self.now_ms),
        }
        return {"category": "linear", "list": [held], "nextPageCursor": ""}

    def _wallet(self, query: Mapping[str, str]) -> object:
        coins = [
            {
                "coin": name,
                "walletBalance": amount,
                "equity": amount,
                "locked": "0",
                "availableToWithdraw": amount,
            }
            for name, amount in self.wallet.items()
        ]
        return {"list": [{"accountType": query.get("accountType", "UNIFIED"), "coin": coins}]}
