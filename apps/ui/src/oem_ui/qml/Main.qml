import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

ApplicationWindow {
    id: window
    required property var daemon
    readonly property bool connected: daemon !== null && daemon.connection === "Connected"
    width: 1280
    height: 800
    minimumWidth: 960
    minimumHeight: 600
    visible: true
    title: "Core OEM console – " + daemon.target
    color: palette_.page

    QtObject {
        id: palette_
        readonly property bool dark: Qt.styleHints.colorScheme === Qt.ColorScheme.Dark
        readonly property color page: dark ? "#14171c" : "#f4f5f7"
        readonly property color panel: dark ? "#1d2128" : "#ffffff"
        readonly property color stripe: dark ? "#222730" : "#f8f9fa"
        readonly property color line: dark ? "#333a45" : "#dfe2e7"
        readonly property color ink: dark ? "#e8eaed" : "#1c2129"
        readonly property color muted: dark ? "#a3abb8" : "#59626f"
        readonly property color good: dark ? "#6fcf97" : "#17693a"
        readonly property color warn: dark ? "#f2b64c" : "#8a5300"
        readonly property color bad: dark ? "#ff8a80" : "#b3261e"
        readonly property color accent: dark ? "#8ab4f8" : "#1a56b0"
    }

    ColumnLayout {
        anchors { fill: parent; margins: 20 }
        spacing: 14

        RowLayout {
            Layout.fillWidth: true
            spacing: 12
            Text { text: "Core OEM"; color: palette_.ink; font.pixelSize: 22; font.weight: Font.DemiBold }
            Text { text: window.daemon.target; color: palette_.muted; font.pixelSize: 13; Layout.topMargin: 6 }
            Item { Layout.fillWidth: true }
            Rectangle {
                width: 10; height: 10; radius: 5
                color: window.daemon.connection === "Connected" ? palette_.good
                     : window.daemon.connection === "Connecting" ? palette_.warn : palette_.bad
            }
            Text {
                objectName: "connection"
                text: window.daemon.connection
                color: palette_.ink
                font.pixelSize: 14
                font.weight: Font.DemiBold
            }
        }

        Rectangle {
            objectName: "banner"
            visible: window.daemon.error !== ""
            Layout.fillWidth: true
            implicitHeight: banner.implicitHeight + 24
            color: palette_.panel
            border.color: palette_.bad
            radius: 8
            Accessible.role: Accessible.AlertMessage
            Accessible.name: window.daemon.error + ". " + window.daemon.remedy
            Column {
                id: banner
                anchors { left: parent.left; right: parent.right; verticalCenter: parent.verticalCenter; margins: 16 }
                spacing: 4
                Text {
                    objectName: "error"; text: window.daemon.error; color: palette_.bad
                    font.pixelSize: 15; font.weight: Font.DemiBold; width: parent.width; wrapMode: Text.Wrap
                }
                Text {
                    objectName: "remedy"; text: window.daemon.remedy; color: palette_.ink
                    font.pixelSize: 13; width: parent.width; wrapMode: Text.Wrap
                }
            }
        }

        GridLayout {
            Layout.fillWidth: true
            columns: 5
            rowSpacing: 10
            columnSpacing: 10
            uniformCellWidths: true
            Tile { Layout.fillWidth: true; theme: palette_; title: "Mode"; value: window.daemon.mode; valueName: "mode"; ink: value === "live" ? palette_.warn : palette_.ink }
            Tile {
                Layout.fillWidth: true; theme: palette_; title: "Trading"; value: window.daemon.tradingState; valueName: "tradingState"
                note: window.daemon.tradingReason
                ink: value === "halted" ? palette_.bad : value === "reducing" ? palette_.warn : value === "active" ? palette_.good : palette_.ink
            }
            Tile { Layout.fillWidth: true; theme: palette_; title: "Licence"; value: window.daemon.licence; valueName: "licence"; ink: value === "valid" || value === "–" ? palette_.ink : palette_.warn }
            Tile { Layout.fillWidth: true; theme: palette_; title: "Uptime"; value: window.daemon.uptime; valueName: "uptime"; note: "daemon " + window.daemon.version }
            Tile { Layout.fillWidth: true; theme: palette_; title: "Signed in as"; value: window.daemon.caller; valueName: "caller" }
            Tile { Layout.fillWidth: true; theme: palette_; title: "Equity"; value: window.daemon.equity; valueName: "equity" }
            Tile { Layout.fillWidth: true; theme: palette_; title: "P&L today"; value: window.daemon.dailyPnl; valueName: "dailyPnl"; ink: value.startsWith("-") ? palette_.bad : palette_.ink }
            Tile { Layout.fillWidth: true; theme: palette_; title: "Exposure"; value: window.daemon.exposure; valueName: "exposure" }
            Tile { Layout.fillWidth: true; theme: palette_; title: "Drawdown"; value: window.daemon.drawdown; valueName: "drawdown" }
            Tile { Layout.fillWidth: true; theme: palette_; title: "Fees paid"; value: window.daemon.feesPaid; valueName: "feesPaid" }
        }

        TabBar {
            id: tabs
            objectName: "tabs"
            Layout.fillWidth: true
            background: Rectangle { color: "transparent" }
            Repeater {
                model: ["Orders", "Fills and costs", "Decisions", "Risk limits", "Alerts"]
                TabButton {
                    id: tab
                    required property string modelData
                    text: modelData
                    width: implicitWidth + 12
                    contentItem: Text {
                        text: tab.text
                        color: tab.checked ? palette_.accent : palette_.muted
                        font.pixelSize: 14
                        font.weight: tab.checked ? Font.DemiBold : Font.Normal
                        horizontalAlignment: Text.AlignHCenter
                    }
                    background: Rectangle {
                        color: "transparent"
                        border.color: tab.visualFocus ? palette_.accent : "transparent"
                        Rectangle { width: parent.width; height: 2; y: parent.height - 2; color: tab.checked ? palette_.accent : "transparent" }
                    }
                }
            }
        }

        Rectangle {
            Layout.fillWidth: true
            Layout.fillHeight: true
            color: palette_.panel
            border.color: palette_.line
            radius: 8
            StackLayout {
                anchors { fill: parent; margins: 1 }
                currentIndex: tabs.currentIndex
                DataTable { objectName: "orders"; rows: window.daemon.orders; theme: palette_; emptyText: window.connected ? "No orders yet." : "Nothing to show until the daemon answers." }
                DataTable { objectName: "fills"; rows: window.daemon.fills; theme: palette_; emptyText: window.connected ? "No fills yet." : "Nothing to show until the daemon answers." }
                DataTable { objectName: "decisions"; rows: window.daemon.decisions; theme: palette_; emptyText: window.connected ? "No decisions yet." : "Nothing to show until the daemon answers." }
                DataTable { objectName: "limits"; rows: window.daemon.limits; theme: palette_; emptyText: window.connected ? "The daemon has not reported limits yet." : "Nothing to show until the daemon answers." }
                DataTable { objectName: "alerts"; rows: window.daemon.alerts; theme: palette_; emptyText: window.connected ? "No alerts." : "Nothing to show until the daemon answers." }
            }
        }
    }
}
